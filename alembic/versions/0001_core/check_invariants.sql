-- Every violation of what constraints cannot say, a row each; an empty result is a healthy database. Reads everything:
-- meant for tests and for an operator's doubts, not for a schedule.
-- Locks nothing. Called by operators and at the end of every test.
create or replace function pgflow.check_invariants()
returns table (invariant text, run_id uuid, step_slug text, task_index integer, detail text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query select c.* from pgflow._check_runs() as c;
  return query select c.* from pgflow._check_steps() as c;
  return query select c.* from pgflow._check_tasks() as c;
  return query select c.* from pgflow._check_queues() as c;
end
$$;

-- From now on this run notifies. Whoever has done LISTEN and committed, and then calls this, misses nothing: a
-- transition that did not see the mark is waited for here, and shows in the snapshot that is returned.
-- Locks: the run. Called by clients and by plain SQL.
create or replace function pgflow.watch_run(run_id uuid)
returns table (run pgflow.runs, steps pgflow.step_states[])
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query select s.run, s.steps from pgflow.watch_runs(array[watch_run.run_id]) as s;
end
$$;

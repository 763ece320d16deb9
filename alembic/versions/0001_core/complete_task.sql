-- Report the result of a task, and everything that follows from it: the step's completion, its dependents, the run's.
-- A null token reports unfenced; a null output is JSON null. Returns the task as it then is, whether or not the report
-- changed anything; no row for a task that does not exist.
-- Locks: the run, the step, the task, dependents' steps, messages. Called by workers and by plain SQL.
create or replace function pgflow.complete_task(
  run_id uuid,
  step_slug text,
  task_index integer,
  output jsonb,
  token integer default null
) returns setof pgflow.step_tasks
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set jit = off
as $$
begin
  perform pgflow._require_read_committed();
  perform pgflow._complete_one(
    complete_task.run_id, complete_task.step_slug, complete_task.task_index, complete_task.output, complete_task.token
  );
  return query
  select t.* from pgflow.step_tasks as t
  where t.run_id = complete_task.run_id
    and t.step_slug = complete_task.step_slug
    and t.task_index = complete_task.task_index;
end
$$;

-- Report a failed attempt: the task is retried with backoff while attempts remain, else it fails, and its step and run
-- with it. A null token reports unfenced; permanent leaves out what attempts remain; retry_delay, in seconds, replaces
-- the backoff. Returns the task as it then is, whether or not the report changed anything.
-- Locks: the run, the task, its step, the run's open tasks and steps, messages. Called by workers and by plain SQL.
create or replace function pgflow.fail_task(
  run_id uuid,
  step_slug text,
  task_index integer,
  error_message text,
  token integer default null,
  permanent boolean default false,
  retry_delay double precision default null,
  traceback text default null
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
  perform pgflow._fail_one(
    fail_task.run_id, fail_task.step_slug, fail_task.task_index, fail_task.error_message, fail_task.token,
    fail_task.permanent, fail_task.retry_delay, fail_task.traceback
  );
  return query
  select t.* from pgflow.step_tasks as t
  where t.run_id = fail_task.run_id and t.step_slug = fail_task.step_slug and t.task_index = fail_task.task_index;
end
$$;

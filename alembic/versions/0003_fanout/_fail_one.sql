-- Take one failed attempt: retry it or fail the run. False if the report changed nothing. A report that comes with the
-- output which made it fail leaves that on the task.
-- Locks: the run, the task, then as _fail_run. Called by fail_task, fail_tasks and, for a wrong shape, _complete_one.
create or replace function pgflow._fail_one(
  p_run_id uuid,
  p_step_slug text,
  p_task_index integer,
  p_error_message text,
  p_token integer,
  p_permanent boolean default false,
  p_retry_delay double precision default null,
  p_traceback text default null,
  p_output jsonb default null
) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text := left(coalesce(p_error_message, ''), 10000);
  v_traceback text := left(p_traceback, 20000);
  v_task pgflow.step_tasks;
  v_max_attempts integer;
  v_base_delay integer;
  v_delay double precision;
begin
  perform from pgflow.runs as r where r.run_id = p_run_id and r.status = 'started' for no key update;
  if not found then
    return false;
  end if;
  select t.* into v_task from pgflow.step_tasks as t
  where t.run_id = p_run_id
    and t.step_slug = p_step_slug
    and t.task_index = p_task_index
    and t.status = 'started'
    and (p_token is null or t.token = p_token)
  for no key update;
  if not found then
    return false;
  end if;
  select coalesce(s.opt_max_attempts, f.opt_max_attempts), coalesce(s.opt_base_delay, f.opt_base_delay)
  into strict v_max_attempts, v_base_delay
  from pgflow.flows as f
  join pgflow.steps as s on s.flow_slug = f.flow_slug
  where f.flow_slug = v_task.flow_slug and s.step_slug = p_step_slug;

  if coalesce(p_permanent, false) or v_task.attempts_count >= v_max_attempts then
    update pgflow.step_tasks as t
    set
      status = 'failed',
      error_message = v_error,
      traceback = v_traceback,
      output = p_output,
      failed_at = clock_timestamp()
    where t.run_id = p_run_id and t.step_slug = p_step_slug and t.task_index = p_task_index;
    perform pgflow._delete_messages(v_task.flow_slug, array[v_task.message_id]);
    perform pgflow._fail_run(p_run_id, p_step_slug, v_error);
    return true;
  end if;

  update pgflow.step_tasks as t
  set status = 'queued', started_at = null, error_message = v_error, traceback = v_traceback
  where t.run_id = p_run_id and t.step_slug = p_step_slug and t.task_index = p_task_index;
  -- Jitter keeps tasks that failed together, on the same overloaded service, from coming back together.
  v_delay := least(3600, pgflow.calculate_retry_delay(v_base_delay, v_task.attempts_count)) * (1 + random() / 10);
  if p_retry_delay between 0 and 31536000 then
    v_delay := p_retry_delay;
  end if;
  perform pgflow._delay_messages(v_task.flow_slug, array[v_task.message_id], v_delay);
  return true;
end
$$;

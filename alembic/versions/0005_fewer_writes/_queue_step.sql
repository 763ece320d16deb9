-- The message and task of one started single step: _queue_steps with plain statements, at a sixth of its cost.
-- Locks: nothing that exists before. Called by start_flow and _complete_step, under the lock of the run.
create or replace function pgflow._queue_step(p_flow_slug text, p_run_id uuid, p_step_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_start_delay integer;
  v_message_id bigint;
begin
  select coalesce(s.opt_start_delay, 0) into strict v_start_delay from pgflow.steps as s
  where s.flow_slug = p_flow_slug and s.step_slug = p_step_slug;

  execute format(
    'insert into pgmq.%I (vt, message) values (clock_timestamp() + make_interval(secs => $1), $2) returning msg_id',
    'q_' || lower(p_flow_slug)
  )
  into v_message_id
  using v_start_delay, jsonb_build_object(
    'flow_slug', p_flow_slug, 'run_id', p_run_id, 'step_slug', p_step_slug, 'task_index', 0
  );
  insert into pgflow.step_tasks (run_id, step_slug, task_index, flow_slug, message_id)
  values (p_run_id, p_step_slug, 0, p_flow_slug, v_message_id);

  perform pgflow._wake_workers(p_flow_slug);
end
$$;

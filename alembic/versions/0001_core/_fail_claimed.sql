-- Fail a task, its step and its run from within a claim, which holds messages: false, and nothing done, unless the run,
-- all its open tasks and all their messages can be had without waiting.
-- Locks: the run, its open tasks, their messages, all with skip locked; then as _fail_run.
-- Called by _settle_claimed and _fail_without_input.
create or replace function pgflow._fail_claimed(
  p_flow_slug text,
  p_run_id uuid,
  p_step_slug text,
  p_task_index integer,
  p_error_message text
) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_open bigint[];
  v_held integer;
begin
  perform from pgflow.runs as r where r.run_id = p_run_id and r.status = 'started' for no key update skip locked;
  if not found then
    return false;
  end if;
  select array_agg(t.message_id) into v_open from pgflow.step_tasks as t
  where t.run_id = p_run_id and t.status in ('queued', 'started');
  select count(*) into v_held from (
    select from pgflow.step_tasks as t
    where t.run_id = p_run_id and t.status in ('queued', 'started')
    for no key update skip locked
  ) as held;
  if v_held < cardinality(v_open) then
    return false;
  end if;
  execute format(
    'select count(*) from (select from pgmq.%I where msg_id = any($1) for update skip locked) as held',
    'q_' || lower(p_flow_slug)
  ) into v_held using v_open;
  if v_held < cardinality(v_open) then
    return false;
  end if;

  update pgflow.step_tasks as t
  set status = 'failed', error_message = p_error_message, failed_at = clock_timestamp()
  where t.run_id = p_run_id and t.step_slug = p_step_slug and t.task_index = p_task_index;
  perform pgflow._delete_messages(p_flow_slug, v_open);
  perform pgflow._fail_run(p_run_id, p_step_slug, p_error_message);
  return true;
end
$$;

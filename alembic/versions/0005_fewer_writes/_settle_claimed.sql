-- What becomes of claimed messages whose tasks could not start: the message of a task that is over, or was deleted,
-- goes; a task whose lease ran out with its last attempt fails, and its run with it; what somebody else holds just now
-- is left for a second later.
-- Locks: as _fail_claimed. Called by _start_tasks.
create or replace function pgflow._settle_claimed(p_flow_slug text, p_message_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message_id bigint;
  v_read_ct integer;
  v_key jsonb;
  v_task record;
begin
  for v_message_id, v_read_ct, v_key in
    execute format('select msg_id, read_ct, message from pgmq.%I where msg_id = any($1)', 'q_' || lower(p_flow_slug))
    using p_message_ids
  loop
    select t.*, coalesce(s.opt_max_attempts, f.opt_max_attempts) as max_attempts into v_task
    from pgflow.step_tasks as t
    cross join lateral (
      select s.opt_max_attempts from pgflow.steps as s
      where s.flow_slug = t.flow_slug and s.step_slug = t.step_slug
      limit 1
    ) as s
    cross join lateral (
      select f.opt_max_attempts from pgflow.flows as f where f.flow_slug = t.flow_slug limit 1
    ) as f
    where t.run_id = case
        when v_key ->> 'run_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (v_key ->> 'run_id')::uuid
      end
      and t.step_slug = v_key ->> 'step_slug'
      and t.task_index = case
        when v_key ->> 'task_index' ~ '^[0-9]{1,9}$' then (v_key ->> 'task_index')::integer
      end
      and t.message_id = v_message_id
      and t.status in ('queued', 'started');

    if not found then
      perform pgflow._delete_messages(p_flow_slug, array[v_message_id]);
    elsif v_task.token >= v_read_ct then
      -- Not read again since the task started: its holder's lease stays as it is, and so does the delay of a retry or
      -- what was handed back.
      continue;
    elsif v_task.status = 'queued' or v_task.attempts_count < v_task.max_attempts
      or not pgflow._fail_claimed(
        p_flow_slug, v_task.run_id, v_task.step_slug, v_task.task_index,
        format(
          'gave up after %s attempts: each was started by a worker that neither reported on it nor kept its lease',
          v_task.attempts_count
        )
      )
    then
      perform pgflow._delay_messages(p_flow_slug, array[v_message_id], 1);
    end if;
  end loop;
end
$$;

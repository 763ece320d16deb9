-- Fail a run, at a step or, with a null slug, as a whole: its open tasks and steps become cancelled, with no event of
-- their own, and their messages go. A terminal run never changes, so whoever reports on them later is ignored.
-- Locks: the run's steps, tasks and messages; the caller holds the run. Called by _fail_one, _complete_fanout,
-- _complete_run and _fail_claimed.
create or replace function pgflow._fail_run(p_run_id uuid, p_step_slug text, p_error_message text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_flow_slug text;
  v_messages bigint[];
begin
  update pgflow.step_states as s
  set status = 'failed', error_message = p_error_message, failed_at = clock_timestamp()
  where s.run_id = p_run_id and s.step_slug = p_step_slug;
  update pgflow.step_states as s set status = 'cancelled'
  where s.run_id = p_run_id and s.status in ('created', 'started');

  with cancelled as (
    update pgflow.step_tasks as t set status = 'cancelled'
    where t.run_id = p_run_id and t.status in ('queued', 'started')
    returning t.message_id
  )
  select array_agg(message_id) into v_messages from cancelled;

  update pgflow.runs as r
  set status = 'failed', error_message = p_error_message, failed_at = clock_timestamp()
  where r.run_id = p_run_id
  returning r.flow_slug into strict v_flow_slug;

  if v_messages is not null then
    perform pgflow._delete_messages(v_flow_slug, v_messages);
  end if;
  if p_step_slug is not null then
    perform pgflow._broadcast_steps(array[p_run_id], array[p_step_slug]);
  end if;
  perform pgflow._broadcast_run(array[p_run_id]);
end
$$;

-- Start the tasks of messages that the caller has read from the flow's queue itself, in a transaction before this one.
-- Locks: messages, then tasks, with skip locked. Called by workers that read the queue by pgmq's own functions.
create or replace function pgflow.start_tasks(flow_slug text, msg_ids bigint[], worker_id uuid)
returns setof pgflow.step_task_record
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
declare
  v_messages bigint[];
  v_tokens integer[];
  v_keys jsonb[];
begin
  perform pgflow._require_read_committed();
  perform pgflow._require_flow(start_tasks.flow_slug);
  execute format(
    'select array_agg(msg_id), array_agg(read_ct), array_agg(message) '
    'from (select msg_id, read_ct, message from pgmq.%I where msg_id = any($1) for update skip locked) as held',
    'q_' || lower(start_tasks.flow_slug)
  ) into v_messages, v_tokens, v_keys using msg_ids;
  if v_messages is not null then
    return query
    select t.*
    from pgflow._start_tasks(start_tasks.flow_slug, v_messages, v_tokens, v_keys, start_tasks.worker_id) as t;
  end if;
end
$$;

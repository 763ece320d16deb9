-- Claim and start the queued tasks of one run, whatever delay they still have to wait for: what a test needs to drive
-- one run to its end without sleeping, beside whatever else is in the queue.
-- Locks: messages, then tasks, all with skip locked. Called by pgflow.testing.
create or replace function pgflow.claim_run_tasks(
  p_run_id uuid,
  p_lease double precision,
  p_worker_id uuid default null
) returns setof pgflow.step_task_record
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
  v_flow_slug text;
  v_queued bigint[];
  v_messages bigint[];
  v_tokens integer[];
  v_keys jsonb[];
begin
  perform pgflow._require_read_committed();
  select r.flow_slug into v_flow_slug from pgflow.runs as r where r.run_id = p_run_id;
  select array_agg(t.message_id) into v_queued from pgflow.step_tasks as t
  where t.run_id = p_run_id and t.status = 'queued';
  if v_queued is null then
    return;
  end if;

  begin
    execute format(
      $claim$
        with claimed as (
          update pgmq.%1$I
          set
            vt = clock_timestamp() + make_interval(secs => $2),
            read_ct = read_ct + 1,
            last_read_at = clock_timestamp()
          where msg_id = any(array(select msg_id from pgmq.%1$I where msg_id = any($1) for update skip locked))
          returning msg_id, read_ct, message
        )
        select array_agg(msg_id), array_agg(read_ct), array_agg(message) from claimed
      $claim$,
      'q_' || lower(v_flow_slug)
    ) into v_messages, v_tokens, v_keys using v_queued, p_lease;
  exception when undefined_table then
    return;  -- the flow has just been deleted, and this run with it
  end;
  if v_messages is not null then
    return query select t.* from pgflow._start_tasks(v_flow_slug, v_messages, v_tokens, v_keys, p_worker_id) as t;
  end if;
end
$$;

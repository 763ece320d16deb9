-- Claim messages of one flow's queue that were visible at a moment, and start their tasks.
-- The index on vt leads to what is due, and the inner array pins the rows before the update: joined to the queue
-- instead, a plan made while the queue was empty reads all of it for every message.
-- Locks: messages, then tasks, all with skip locked. Called by claim_tasks.
create or replace function pgflow._claim(
  p_flow_slug text,
  p_qty integer,
  p_lease double precision,
  p_worker_id uuid,
  p_now timestamptz
) returns setof pgflow.step_task_record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_messages bigint[];
  v_tokens integer[];
  v_keys jsonb[];
begin
  execute format(
    $claim$
      with claimed as (
        update pgmq.%1$I
        set vt = clock_timestamp() + make_interval(secs => $2), read_ct = read_ct + 1, last_read_at = clock_timestamp()
        where msg_id = any(array(
          select msg_id from pgmq.%1$I where vt <= $3 order by vt limit $1 for update skip locked
        ))
        returning msg_id, read_ct, message
      )
      select array_agg(msg_id), array_agg(read_ct), array_agg(message) from claimed
    $claim$,
    'q_' || lower(p_flow_slug)
  ) into v_messages, v_tokens, v_keys using p_qty, p_lease, p_now;
  if v_messages is not null then
    return query select t.* from pgflow._start_tasks(p_flow_slug, v_messages, v_tokens, v_keys, p_worker_id) as t;
  end if;
end
$$;

-- Claim messages of one flow's queue that were visible at a moment, and start their tasks.
-- The index on vt leads to what is due, and the messages are pinned before the update: joined to the queue instead, a
-- plan made while the queue was empty reads all of it for every message. Two statements rather than one, since both are
-- planned with every call (the queue's name is not known before), and a claim that finds nothing needs only the first.
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
  v_queue text := 'q_' || lower(p_flow_slug);
  v_due bigint[];
  v_messages bigint[];
  v_tokens integer[];
  v_keys jsonb[];
begin
  execute format(
    'select array(select msg_id from pgmq.%I where vt <= $1 order by vt limit $2 for update skip locked)', v_queue
  ) into v_due using p_now, p_qty;
  if v_due = '{}' then
    return;
  end if;
  execute format(
    $claim$
      with claimed as (
        update pgmq.%I
        set vt = clock_timestamp() + make_interval(secs => $1), read_ct = read_ct + 1, last_read_at = clock_timestamp()
        where msg_id = any($2)
        returning msg_id, read_ct, message
      )
      select array_agg(msg_id), array_agg(read_ct), array_agg(message) from claimed
    $claim$,
    v_queue
  ) into v_messages, v_tokens, v_keys using p_lease, v_due;
  return query select t.* from pgflow._start_tasks(p_flow_slug, v_messages, v_tokens, v_keys, p_worker_id) as t;
end
$$;

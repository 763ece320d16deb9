-- Make messages visible after so many seconds, 0 for at once, and wake the workers that sleep on the queue: what is due
-- next has changed. Locks: the messages, last of all. Called by _fail_one, release_tasks and _settle_claimed.
create or replace function pgflow._delay_messages(p_flow_slug text, p_message_ids bigint[], p_seconds double precision)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format(
    'update pgmq.%I set vt = clock_timestamp() + make_interval(secs => $2) where msg_id = any($1)',
    'q_' || lower(p_flow_slug)
  ) using p_message_ids, p_seconds;
  perform pgflow._wake_workers(p_flow_slug);
end
$$;

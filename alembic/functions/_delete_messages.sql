-- Take messages out of a flow's queue: their tasks are over, and step_tasks is the history.
-- Locks: the messages, last of all. Called by every routine that ends tasks.
create or replace function pgflow._delete_messages(p_flow_slug text, p_message_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('delete from pgmq.%I where msg_id = any($1)', 'q_' || lower(p_flow_slug)) using p_message_ids;
end
$$;

-- Refuse a flow that the database does not know, and keep one that it knows from being deleted before the transaction
-- ends: delete_flow has to see every run, or it would wait for a report that waits for it.
-- Locks: the flow against deletion, shared, by an advisory lock; a lock of the flow's row would be written with every
-- start. Called by the start functions.
create or replace function pgflow._hold_flow(p_flow_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('pgflow.delete:' || p_flow_slug, 0));
  perform pgflow._require_flow(p_flow_slug);
end
$$;

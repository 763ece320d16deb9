-- Notify a queue if a worker sleeps on it. NOTIFY takes a database-wide lock at commit, so a queue whose workers are
-- busy is left alone; PostgreSQL folds the notifications of one transaction into one.
-- A worker that marks itself while this transaction is open is missed: it polls again with growing pauses.
-- Called wherever messages are sent or become due sooner. Locks nothing.
create or replace function pgflow._wake_workers(p_flow_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from pgflow.sleeping_workers as w
    where w.queue_name = p_flow_slug and w.sleeping_until > clock_timestamp()
  ) then
    perform pg_notify('pgflow:queue:' || p_flow_slug, '');
  end if;
end
$$;

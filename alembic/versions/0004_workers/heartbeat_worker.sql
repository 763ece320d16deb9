-- Note that a worker still lives. False if it is not known, because it was forgotten while it was suspended or the
-- database is an older copy: then it has to register again.
-- A worker's first heartbeat of an hour forgets those that are long gone, also where no worker starts any more.
-- Locks: the worker's row, and as _forget_workers. Called by workers.
create or replace function pgflow.heartbeat_worker(p_worker_id uuid) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_last timestamptz;
begin
  select w.last_heartbeat_at into v_last from pgflow.workers as w where w.worker_id = p_worker_id for no key update;
  if not found then
    return false;
  end if;
  update pgflow.workers as w set last_heartbeat_at = clock_timestamp() where w.worker_id = p_worker_id;
  if date_trunc('hour', v_last) < date_trunc('hour', clock_timestamp()) then
    perform pgflow._forget_workers();
  end if;
  return true;
end
$$;

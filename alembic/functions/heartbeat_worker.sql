-- Note that a worker still lives. Locks: the worker's row. Called by workers.
create or replace function pgflow.heartbeat_worker(p_worker_id uuid) returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  update pgflow.workers as w set last_heartbeat_at = clock_timestamp() where w.worker_id = p_worker_id
$$;

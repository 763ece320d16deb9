-- Note that a worker stopped in order; nothing wakes it any more. Locks: the worker's rows. Called by workers.
create or replace function pgflow.stop_worker(p_worker_id uuid) returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
  delete from pgflow.sleeping_workers as s where s.worker_id = p_worker_id;
  update pgflow.workers as w set stopped_at = clock_timestamp(), last_heartbeat_at = clock_timestamp()
  where w.worker_id = p_worker_id
$$;

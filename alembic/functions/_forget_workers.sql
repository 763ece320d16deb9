-- Forget the workers that have not been heard of for a week, whether they stopped or died, and their sleep marks.
-- Locks: those rows, with skip locked: whoever holds one forgets it or hears of it just now. Called by register_worker
-- and, once an hour for each worker, heartbeat_worker.
create or replace function pgflow._forget_workers() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  c_kept constant interval := '7 days';
begin
  delete from pgflow.workers as w
  where w.worker_id = any(array(
    select o.worker_id from pgflow.workers as o
    where o.last_heartbeat_at < clock_timestamp() - c_kept
    for update skip locked
  ));
  delete from pgflow.sleeping_workers as w
  where (w.queue_name, w.worker_id) in (
    select o.queue_name, o.worker_id from pgflow.sleeping_workers as o
    where o.sleeping_until < clock_timestamp() - c_kept
    for update skip locked
  );
end
$$;

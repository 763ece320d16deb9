-- Note that a worker lives, and forget those that have not been heard of for a week.
-- Locks: the worker's row. Called by workers at their start.
create or replace function pgflow.register_worker(p_worker_id uuid, p_queue_name text, p_function_name text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from pgflow.workers as w
  where w.worker_id = any(array(
    select o.worker_id from pgflow.workers as o
    where o.last_heartbeat_at < clock_timestamp() - interval '7 days'
    for update skip locked
  ));
  delete from pgflow.sleeping_workers as w
  where (w.queue_name, w.worker_id) in (
    select o.queue_name, o.worker_id from pgflow.sleeping_workers as o
    where o.sleeping_until < clock_timestamp() - interval '7 days'
    for update skip locked
  );
  insert into pgflow.workers as w (worker_id, queue_name, function_name)
  values (p_worker_id, p_queue_name, p_function_name)
  on conflict on constraint workers_pkey do update set stopped_at = null, last_heartbeat_at = clock_timestamp();
end
$$;

-- Note that a worker lives; p_queue_name is its flows, with commas between. Forgets those that are long gone.
-- Locks: the worker's row, and as _forget_workers. Called by workers at their start, and when a heartbeat finds none.
create or replace function pgflow.register_worker(p_worker_id uuid, p_queue_name text, p_function_name text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgflow.workers as w (worker_id, queue_name, function_name)
  values (p_worker_id, p_queue_name, p_function_name)
  on conflict on constraint workers_pkey do update set stopped_at = null, last_heartbeat_at = clock_timestamp();
  -- Not before: a heartbeat of this same worker would miss the row that takes the place of a forgotten one.
  perform pgflow._forget_workers();
end
$$;

-- Mark a worker as sleeping on its queues for so many seconds, so that messages wake it, and return the seconds until
-- the next message of any of them is due (a lease that ends, a retry, a delayed start), null if none waits.
-- A message sent while this is called may have missed the mark: the worker looks again at once, and with growing
-- pauses.
-- Locks: the worker's own marks. Called by workers.
create or replace function pgflow.sleep_on_queues(
  p_worker_id uuid,
  p_flow_slugs text[],
  p_seconds double precision
) returns double precision
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  v_known text[] := pgflow._known_flows(p_flow_slugs);
  v_flow_slug text;
  v_due timestamptz;
  v_next timestamptz;
begin
  insert into pgflow.sleeping_workers as w (queue_name, worker_id, sleeping_until)
  select slug, p_worker_id, clock_timestamp() + make_interval(secs => p_seconds) from unnest(v_known) as slug
  on conflict on constraint sleeping_workers_pkey do update set sleeping_until = excluded.sleeping_until;

  foreach v_flow_slug in array v_known loop
    execute format('select vt from pgmq.%I order by vt limit 1', 'q_' || lower(v_flow_slug)) into v_due;
    v_next := least(v_next, v_due);
  end loop;
  return greatest(extract(epoch from v_next - clock_timestamp()), case when v_next is not null then 0 end);
end
$$;

-- Claim up to p_qty visible messages of several flows' queues for p_lease seconds and start their tasks. A flow gets
-- its share before any gets more, so a crowd in one queue does not starve another; callers rotate the order for the
-- rest.
-- A worker that is named here and claims something is awake: its sleep marks go.
-- Locks: messages, then tasks, then the worker's marks, all with skip locked: it never waits for a row, so it can be
-- part of no deadlock among rows. Called by workers and poll_for_tasks.
create or replace function pgflow.claim_tasks(
  p_flow_slugs text[],
  p_qty integer,
  p_lease double precision,
  p_worker_id uuid default null
) returns setof pgflow.step_task_record
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
  -- One moment for the whole call: what it claims is not due again within it, however short the lease.
  v_now timestamptz := clock_timestamp();
  v_left integer := p_qty;
  v_flows text[];
  v_hungry text[];
  v_share integer;
  v_claimed integer;
  v_awake boolean := false;
begin
  perform pgflow._require_read_committed();
  v_flows := pgflow._known_flows(p_flow_slugs);
  while v_left > 0 and cardinality(v_flows) > 0 loop
    v_hungry := '{}';
    for i in 1..cardinality(v_flows) loop
      v_share := (v_left + cardinality(v_flows) - i) / (cardinality(v_flows) - i + 1);
      exit when v_share = 0;
      return query select t.* from pgflow._claim(v_flows[i], v_share, p_lease, p_worker_id, v_now) as t;
      get diagnostics v_claimed = row_count;
      v_left := v_left - v_claimed;
      v_awake := v_awake or v_claimed > 0;
      if v_claimed = v_share then
        v_hungry := v_hungry || v_flows[i];
      end if;
    end loop;
    v_flows := v_hungry;
  end loop;

  if v_awake and p_worker_id is not null then
    update pgflow.sleeping_workers as w set sleeping_until = '-infinity'
    where w.ctid = any(array(
      select m.ctid from pgflow.sleeping_workers as m
      where m.queue_name = any(p_flow_slugs) and m.worker_id = p_worker_id and m.sleeping_until > '-infinity'
      for update skip locked
    ));
  end if;
end
$$;

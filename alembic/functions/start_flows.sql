-- Start a run of one flow for each input, set-based; the result is in the order of the inputs.
-- Works in any isolation level.
-- Locks: the flow against deletion, and the rows it creates. Called by a client's start_many.
create or replace function pgflow.start_flows(p_flow_slug text, p_inputs jsonb[], p_watched boolean default true)
returns table (run_id uuid, status text, remaining_steps integer, started_at timestamptz)
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
#variable_conflict use_column
declare
  v_run_ids uuid[];
  v_steps pgflow.steps[];
  v_roots text[];
  v_root_runs uuid[];
  v_root_slugs text[];
begin
  perform pgflow._hold_flow(p_flow_slug);

  -- Read once: a step that is added meanwhile is in all of the runs or in none.
  select coalesce(array_agg(s), '{}'), array_agg(s.step_slug order by s.step_index) filter (where s.deps_count = 0)
  into v_steps, v_roots
  from pgflow.steps as s where s.flow_slug = p_flow_slug;

  select array_agg(pgflow.new_run_id()) into v_run_ids from unnest(p_inputs);

  insert into pgflow.runs (run_id, flow_slug, input, remaining_steps, watched)
  select e.run_id, p_flow_slug, coalesce(e.input, 'null'), cardinality(v_steps), coalesce(p_watched, true)
  from unnest(v_run_ids, p_inputs) as e (run_id, input);

  insert into pgflow.step_states
    (run_id, step_slug, flow_slug, status, initial_tasks, remaining_tasks, remaining_deps, started_at)
  select
    e.run_id,
    s.step_slug,
    s.flow_slug,
    case when s.deps_count = 0 then 'started' else 'created' end,
    case when s.step_type = 'single' then 1 end,
    case when s.deps_count = 0 then 1 end,
    s.deps_count,
    case when s.deps_count = 0 then clock_timestamp() end
  from unnest(v_run_ids) as e (run_id)
  cross join unnest(v_steps) as s;

  v_root_runs := array(select e.run_id from unnest(v_run_ids) as e (run_id) cross join unnest(v_roots));
  v_root_slugs := array(select root from unnest(v_run_ids) cross join unnest(v_roots) as root);
  if coalesce(p_watched, true) or pgflow._realtime_is_foreign() then
    perform pgflow._broadcast_run(v_run_ids);
    perform pgflow._broadcast_steps(v_root_runs, v_root_slugs);
  end if;
  if v_roots is not null then
    perform pgflow._queue_steps(p_flow_slug, v_root_runs, v_root_slugs);
  else
    perform pgflow.maybe_complete_run(e.run_id) from unnest(v_run_ids) as e (run_id);
  end if;

  return query
  select r.run_id, r.status, r.remaining_steps, r.started_at
  from unnest(v_run_ids) with ordinality as e (run_id, n)
  cross join lateral (select r.* from pgflow.runs as r where r.run_id = e.run_id limit 1) as r
  order by e.n;
end
$$;

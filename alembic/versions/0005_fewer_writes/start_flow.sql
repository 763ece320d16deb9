-- Create a run with its step states and start its root steps. The same run id or idempotency key again, with the same
-- flow and input, returns that run and starts nothing; with others it is an error. A null input is JSON null. A key has
-- at most 500 characters, so that it fits into its index.
-- Works in any isolation level.
-- Locks: the flow against deletion, and the rows it creates. Called by clients and by plain SQL.
create or replace function pgflow.start_flow(
  flow_slug text,
  input jsonb,
  run_id uuid default null,
  idempotency_key text default null,
  watched boolean default true
) returns setof pgflow.runs
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
  v_input jsonb := coalesce(start_flow.input, 'null');
  v_steps pgflow.steps[];
  v_roots text[];
  v_run pgflow.runs;
  v_run_ids uuid[];
begin
  perform pgflow._hold_flow(start_flow.flow_slug);
  if length(start_flow.idempotency_key) > 500 then
    raise exception using
      errcode = 'PF010',
      message = format('the idempotency key is too long: %s characters', length(start_flow.idempotency_key)),
      hint = 'A key has at most 500 characters; use a digest of a longer one.';
  end if;

  -- Read once: a step that is added meanwhile is in the whole run or not in it.
  select coalesce(array_agg(s), '{}'), array_agg(s.step_slug order by s.step_index) filter (where s.deps_count = 0)
  into v_steps, v_roots
  from pgflow.steps as s where s.flow_slug = start_flow.flow_slug;

  insert into pgflow.runs as r (run_id, flow_slug, input, remaining_steps, watched, idempotency_key)
  values (
    coalesce(start_flow.run_id, pgflow.new_run_id()),
    start_flow.flow_slug,
    v_input,
    cardinality(v_steps),
    coalesce(start_flow.watched, true),
    start_flow.idempotency_key
  )
  on conflict do nothing
  returning r.* into v_run;
  if not found then
    return query select * from pgflow._existing_run(
      start_flow.flow_slug, v_input, start_flow.run_id, start_flow.idempotency_key
    );
    return;
  end if;

  insert into pgflow.step_states
    (run_id, step_slug, flow_slug, status, initial_tasks, remaining_tasks, remaining_deps, started_at)
  select
    v_run.run_id,
    s.step_slug,
    s.flow_slug,
    case when s.deps_count = 0 then 'started' else 'created' end,
    case when s.step_type = 'single' then 1 end,
    case when s.deps_count = 0 then 1 end,
    s.deps_count,
    case when s.deps_count = 0 then clock_timestamp() end
  from unnest(v_steps) as s;

  v_run_ids := array_fill(v_run.run_id, array[coalesce(cardinality(v_roots), 0)]);
  -- Most runs start silent: nothing is looked up for them but whether others listen to everything.
  if v_run.watched or pgflow._realtime_is_foreign() then
    perform pgflow._broadcast_run(array[v_run.run_id]);
    perform pgflow._broadcast_steps(v_run_ids, v_roots);
  end if;
  if cardinality(v_roots) = 1 then
    perform pgflow._queue_step(start_flow.flow_slug, v_run.run_id, v_roots[1]);
  elsif v_roots is not null then
    perform pgflow._queue_steps(start_flow.flow_slug, v_run_ids, v_roots);
  else
    perform pgflow.maybe_complete_run(v_run.run_id);
    select r.* into v_run from pgflow.runs as r where r.run_id = v_run.run_id;
  end if;
  return next v_run;
end
$$;

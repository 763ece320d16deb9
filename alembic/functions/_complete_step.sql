-- Complete one step, and with it every fan-out step below that then has nothing to do, however deep; start what has
-- become ready; complete the run when nothing remains.
-- Locks: the step, then its dependents' steps; the caller holds the run. Called by _complete_one, _complete_fanout
-- and _start_fanout.
create or replace function pgflow._complete_step(
  p_flow_slug text,
  p_run_id uuid,
  p_step_slug text,
  p_output jsonb
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_completed text[] := array[p_step_slug];
  v_done integer := 0;
  v_ready_singles text[];
  v_ready_fanouts text[];
  v_singles text[] := '{}'::text[];
  v_fanouts text[] := '{}'::text[];
  v_fanout text;
begin
  while v_done < cardinality(v_completed) loop
    v_done := v_done + 1;

    update pgflow.step_states as s
    set
      status = 'completed',
      initial_tasks = coalesce(s.initial_tasks, 0),
      remaining_tasks = 0,
      output = case v_done when 1 then p_output else '[]' end,
      started_at = coalesce(s.started_at, clock_timestamp()),
      completed_at = clock_timestamp()
    where s.run_id = p_run_id and s.step_slug = v_completed[v_done];

    continue when not exists (
      select from pgflow.deps as d where d.flow_slug = p_flow_slug and d.dep_slug = v_completed[v_done]
    );
    -- A single step that waits for nothing else starts with the same write.
    with dependent as materialized (
      select d.step_slug, t.step_type from pgflow.deps as d
      cross join lateral (
        select t.step_type from pgflow.steps as t
        where t.flow_slug = p_flow_slug and t.step_slug = d.step_slug
        limit 1
      ) as t
      where d.flow_slug = p_flow_slug and d.dep_slug = v_completed[v_done]
    ),
    located as materialized (
      select s.located, d.step_type, s.remaining_deps = 1 and d.step_type = 'single' as starts
      from dependent as d
      cross join lateral (
        select s.ctid as located, s.remaining_deps from pgflow.step_states as s
        where s.run_id = p_run_id and s.step_slug = d.step_slug
        limit 1
      ) as s
    ),
    advanced as (
      update pgflow.step_states as s
      set
        remaining_deps = s.remaining_deps - 1,
        status = case when l.starts then 'started' else s.status end,
        remaining_tasks = case when l.starts then 1 else s.remaining_tasks end,
        started_at = case when l.starts then clock_timestamp() else s.started_at end
      from located as l
      where s.ctid = l.located
      returning s.step_slug, s.remaining_deps, l.step_type
    )
    select
      array_agg(step_slug order by step_slug) filter (where step_type = 'single'),
      array_agg(step_slug order by step_slug) filter (where step_type = 'fanout')
    into v_ready_singles, v_ready_fanouts
    from advanced where remaining_deps = 0;

    v_singles := v_singles || v_ready_singles;
    if v_done > 1 or p_output = '[]' then
      v_completed := v_completed || v_ready_fanouts;
    else
      v_fanouts := v_fanouts || v_ready_fanouts;
    end if;
  end loop;

  perform pgflow._broadcast_steps(
    array_fill(p_run_id, array[cardinality(v_completed || v_singles)]), v_completed || v_singles
  );
  if cardinality(v_singles) = 1 then
    perform pgflow._queue_step(p_flow_slug, p_run_id, v_singles[1]);
  elsif v_singles <> '{}' then
    perform pgflow._queue_steps(p_flow_slug, array_fill(p_run_id, array[cardinality(v_singles)]), v_singles);
  end if;
  foreach v_fanout in array v_fanouts loop
    perform pgflow._start_fanout(p_flow_slug, p_run_id, v_fanout);
  end loop;
  -- The last of the steps are counted by the write that completes the run.
  update pgflow.runs as r set remaining_steps = r.remaining_steps - v_done
  where r.run_id = p_run_id and r.remaining_steps > v_done;
  if not found then
    perform pgflow._complete_run(p_run_id);
  end if;
end
$$;

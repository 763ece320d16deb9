-- Complete single steps of one flow, set-based: the counterpart of _complete_step for many runs at once, with the
-- outputs of their tasks. The arrays run in parallel.
-- Locks: the steps, then their dependents' steps; the caller holds the runs. Called by _complete_many.
create or replace function pgflow._complete_steps(
  p_flow_slug text,
  p_run_ids uuid[],
  p_step_slugs text[],
  p_outputs jsonb[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_single_runs uuid[];
  v_single_slugs text[];
  v_fanout_runs uuid[];
  v_fanout_slugs text[];
  v_finished uuid[];
begin
  with located as materialized (
    select s.located, e.output
    from unnest(p_run_ids, p_step_slugs, p_outputs) as e (run_id, step_slug, output)
    cross join lateral (
      select s.ctid as located from pgflow.step_states as s
      where s.run_id = e.run_id and s.step_slug = e.step_slug
      limit 1
    ) as s
  )
  update pgflow.step_states as s
  set status = 'completed', remaining_tasks = 0, output = l.output, completed_at = clock_timestamp()
  from located as l
  where s.ctid = l.located;

  -- A single step that waits for nothing else starts with the same write.
  with waiting as (
    select e.run_id, d.step_slug, d.step_type, count(*)::integer as completed_deps
    from unnest(p_run_ids, p_step_slugs) as e (run_id, step_slug)
    cross join lateral (
      select d.step_slug, t.step_type from pgflow.deps as d
      cross join lateral (
        select t.step_type from pgflow.steps as t
        where t.flow_slug = p_flow_slug and t.step_slug = d.step_slug
        limit 1
      ) as t
      where d.flow_slug = p_flow_slug and d.dep_slug = e.step_slug
      offset 0
    ) as d
    group by e.run_id, d.step_slug, d.step_type
  ),
  located as materialized (
    select
      s.located, w.step_type, w.completed_deps, s.remaining_deps = w.completed_deps and w.step_type = 'single' as starts
    from waiting as w
    cross join lateral (
      select s.ctid as located, s.remaining_deps from pgflow.step_states as s
      where s.run_id = w.run_id and s.step_slug = w.step_slug
      limit 1
    ) as s
  ),
  advanced as (
    update pgflow.step_states as s
    set
      remaining_deps = s.remaining_deps - l.completed_deps,
      status = case when l.starts then 'started' else s.status end,
      remaining_tasks = case when l.starts then 1 else s.remaining_tasks end,
      started_at = case when l.starts then clock_timestamp() else s.started_at end
    from located as l
    where s.ctid = l.located
    returning s.run_id, s.step_slug, s.remaining_deps, l.step_type
  )
  select
    array_agg(run_id) filter (where step_type = 'single'),
    array_agg(step_slug) filter (where step_type = 'single'),
    array_agg(run_id) filter (where step_type = 'fanout'),
    array_agg(step_slug) filter (where step_type = 'fanout')
  into v_single_runs, v_single_slugs, v_fanout_runs, v_fanout_slugs
  from advanced where remaining_deps = 0;
  perform pgflow._broadcast_steps(p_run_ids || v_single_runs, p_step_slugs || v_single_slugs);
  if v_single_runs is not null then
    perform pgflow._queue_steps(p_flow_slug, v_single_runs, v_single_slugs);
  end if;
  -- Each by itself, since it spawns as many tasks as its array has elements.
  perform pgflow._start_fanout(p_flow_slug, e.run_id, e.step_slug)
  from unnest(v_fanout_runs, v_fanout_slugs) as e (run_id, step_slug);

  -- The last of a run's steps are counted by the write that completes it.
  with located as materialized (
    select r.*, e.completed_steps
    from (select run_id, count(*)::integer as completed_steps from unnest(p_run_ids) as run_id group by run_id) as e
    cross join lateral (
      select r.run_id, r.ctid as located, r.remaining_steps from pgflow.runs as r where r.run_id = e.run_id limit 1
    ) as r
  ),
  advanced as (
    update pgflow.runs as r
    set remaining_steps = r.remaining_steps - l.completed_steps
    from located as l
    where r.ctid = l.located and l.remaining_steps > l.completed_steps
  )
  select array_agg(run_id) into v_finished from located where remaining_steps <= completed_steps;
  perform pgflow._complete_run(run_id) from unnest(v_finished) as run_id;
end
$$;

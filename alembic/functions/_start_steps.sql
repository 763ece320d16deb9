-- Start steps of one flow whose dependencies have completed. Single steps start in one statement; each fan-out step by
-- itself, since it spawns as many tasks as its array has elements. The arrays run in parallel.
-- Locks: the steps; the caller holds their runs. Called by _complete_step, _complete_steps and start_ready_steps.
create or replace function pgflow._start_steps(p_flow_slug text, p_run_ids uuid[], p_step_slugs text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_single_runs uuid[];
  v_single_slugs text[];
  v_fanout record;
begin
  with located as materialized (
    select s.located
    from unnest(p_run_ids, p_step_slugs) as e (run_id, step_slug)
    cross join lateral (
      select s.ctid as located from pgflow.step_states as s
      where s.run_id = e.run_id and s.step_slug = e.step_slug
      limit 1
    ) as s
    where (
      select t.step_type from pgflow.steps as t where t.flow_slug = p_flow_slug and t.step_slug = e.step_slug
    ) = 'single'
  ),
  started as (
    update pgflow.step_states as s
    set status = 'started', remaining_tasks = 1, started_at = clock_timestamp()
    where s.ctid = any(array(select located from located))
    returning s.run_id, s.step_slug
  )
  select array_agg(run_id), array_agg(step_slug) into v_single_runs, v_single_slugs from started;
  if v_single_runs is not null then
    perform pgflow._queue_steps(p_flow_slug, v_single_runs, v_single_slugs);
  end if;

  for v_fanout in
    select e.run_id, e.step_slug
    from unnest(p_run_ids, p_step_slugs) as e (run_id, step_slug)
    where (
      select t.step_type from pgflow.steps as t where t.flow_slug = p_flow_slug and t.step_slug = e.step_slug
    ) = 'fanout'
  loop
    perform pgflow._start_fanout(p_flow_slug, v_fanout.run_id, v_fanout.step_slug);
  end loop;
end
$$;

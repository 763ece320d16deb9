-- Start steps of one flow whose dependencies have completed. The arrays run in parallel.
-- Locks: the steps; the caller holds their runs. Called by _complete_step, _complete_steps and start_ready_steps.
create or replace function pgflow._start_steps(p_flow_slug text, p_run_ids uuid[], p_step_slugs text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  with located as materialized (
    select s.located
    from unnest(p_run_ids, p_step_slugs) as e (run_id, step_slug)
    cross join lateral (
      select s.ctid as located from pgflow.step_states as s
      where s.run_id = e.run_id and s.step_slug = e.step_slug
      limit 1
    ) as s
  )
  update pgflow.step_states as s
  set status = 'started', remaining_tasks = 1, started_at = clock_timestamp()
  where s.ctid = any(array(select located from located));
  perform pgflow._queue_steps(p_flow_slug, p_run_ids, p_step_slugs);
end
$$;

-- Send '<step>:started', '<step>:completed' or '<step>:failed', as the steps' rows now say, for each step of a watched
-- run, in the order of the arrays, which run in parallel.
-- Called by the routine that made the transition, under the runs' locks. Locks nothing itself.
create or replace function pgflow._broadcast_steps(p_run_ids uuid[], p_step_slugs text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_foreign boolean := pgflow._realtime_is_foreign();
  v_step record;
begin
  for v_step in
    select s.*, r.watched
    from unnest(p_run_ids, p_step_slugs) with ordinality as e (run_id, step_slug, n)
    cross join lateral (
      select r.watched from pgflow.runs as r where r.run_id = e.run_id and (v_is_foreign or r.watched) limit 1
    ) as r
    cross join lateral (
      select s.* from pgflow.step_states as s where s.run_id = e.run_id and s.step_slug = e.step_slug limit 1
    ) as s
    order by e.n
  loop
    perform pgflow._broadcast(
      v_step.run_id,
      v_step.step_slug || ':' || v_step.status,
      jsonb_build_object('run_id', v_step.run_id, 'step_slug', v_step.step_slug) || case v_step.status
        when 'started' then jsonb_build_object('started_at', v_step.started_at)
        when 'completed' then jsonb_build_object('completed_at', v_step.completed_at)
        else jsonb_build_object('error_message', v_step.error_message, 'failed_at', v_step.failed_at)
      end,
      case v_step.status when 'completed' then 'output' end,
      v_step.output,
      v_step.watched,
      v_is_foreign
    );
  end loop;
end
$$;

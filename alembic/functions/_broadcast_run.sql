-- Send 'run:started', 'run:completed' or 'run:failed', as the run's row now says, for each run that is watched.
-- Called by the routine that made the transition, under the runs' locks. Locks nothing itself.
create or replace function pgflow._broadcast_run(p_run_ids uuid[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_foreign boolean := pgflow._realtime_is_foreign();
  v_run pgflow.runs;
begin
  for v_run in
    select r.*
    from unnest(p_run_ids) with ordinality as e (run_id, n)
    cross join lateral (
      select r.* from pgflow.runs as r where r.run_id = e.run_id and (v_is_foreign or r.watched) limit 1
    ) as r
    order by e.n
  loop
    perform pgflow._broadcast(
      v_run.run_id,
      'run:' || v_run.status,
      jsonb_build_object('run_id', v_run.run_id) || case v_run.status
        when 'started' then jsonb_build_object(
          'flow_slug', v_run.flow_slug,
          'remaining_steps', v_run.remaining_steps,
          'started_at', v_run.started_at
        )
        when 'completed' then jsonb_build_object('completed_at', v_run.completed_at)
        else jsonb_build_object('error_message', v_run.error_message, 'failed_at', v_run.failed_at)
      end,
      case v_run.status when 'started' then 'input' when 'completed' then 'output' end,
      case v_run.status when 'started' then v_run.input when 'completed' then v_run.output end,
      v_run.watched,
      v_is_foreign
    );
  end loop;
end
$$;

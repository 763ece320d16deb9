-- Start a fan-out step whose dependency has completed, or complete it at once, and what follows from that, when the
-- array is empty. The engine has checked that it is an array when the dependency completed.
-- Locks: the step; the caller holds the run. Called by _complete_step, _complete_steps and
-- start_ready_steps.
create or replace function pgflow._start_fanout(p_flow_slug text, p_run_id uuid, p_step_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tasks integer;
begin
  select jsonb_array_length(parent.output) into strict v_tasks
  from pgflow.deps as d
  cross join lateral (
    select s.output from pgflow.step_states as s where s.run_id = p_run_id and s.step_slug = d.dep_slug limit 1
  ) as parent
  where d.flow_slug = p_flow_slug and d.step_slug = p_step_slug;

  if v_tasks = 0 then
    perform pgflow._complete_step(p_flow_slug, p_run_id, p_step_slug, '[]');
    return;
  end if;

  update pgflow.step_states as s
  set status = 'started', initial_tasks = v_tasks, remaining_tasks = v_tasks, started_at = clock_timestamp()
  where s.run_id = p_run_id and s.step_slug = p_step_slug;
  perform pgflow._broadcast_steps(array[p_run_id], array[p_step_slug]);
  perform pgflow.spawn_fanout_tasks(p_run_id, p_step_slug);
end
$$;

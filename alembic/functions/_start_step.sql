-- Start one step whose dependencies have completed: _start_steps with plain statements.
-- Locks: the step; the caller holds the run. Called by _complete_step.
create or replace function pgflow._start_step(p_flow_slug text, p_run_id uuid, p_step_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if (
    select s.step_type from pgflow.steps as s where s.flow_slug = p_flow_slug and s.step_slug = p_step_slug
  ) = 'fanout' then
    perform pgflow._start_fanout(p_flow_slug, p_run_id, p_step_slug);
    return;
  end if;

  update pgflow.step_states as s
  set status = 'started', remaining_tasks = 1, started_at = clock_timestamp()
  where s.run_id = p_run_id and s.step_slug = p_step_slug;
  perform pgflow._queue_step(p_flow_slug, p_run_id, p_step_slug);
end
$$;

-- Complete a fan-out step whose tasks have all completed: its output is the array of theirs in item order. An array
-- that jsonb cannot hold is a verdict on the run: as an error it would come back with every attempt, for ever.
-- Locks: as _complete_step; the caller holds the run. Called by _complete_one and
-- _advance_fanouts.
create or replace function pgflow._complete_fanout(p_flow_slug text, p_run_id uuid, p_step_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_output jsonb;
begin
  -- An earlier step of the same report may have failed the run.
  perform from pgflow.step_states as s
  where s.run_id = p_run_id and s.step_slug = p_step_slug and s.status = 'started';
  if not found then
    return;
  end if;

  begin
    select jsonb_agg(t.output order by t.task_index) into v_output from pgflow.step_tasks as t
    where t.run_id = p_run_id and t.step_slug = p_step_slug;
  exception when program_limit_exceeded then
    perform pgflow._fail_run(
      p_run_id, p_step_slug, 'The outputs of the tasks are together larger than jsonb can hold'
    );
    return;
  end;
  perform pgflow._complete_step(p_flow_slug, p_run_id, p_step_slug, v_output);
end
$$;

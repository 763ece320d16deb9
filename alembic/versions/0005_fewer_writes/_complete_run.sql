-- Complete a run whose steps have all completed, whatever is still counted: its output is {leaf step slug: its output}.
-- An output that jsonb cannot hold fails the run instead. A run that is over is left alone.
-- Locks: the run. Called by _complete_step, _complete_steps and maybe_complete_run.
create or replace function pgflow._complete_run(p_run_id uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_output jsonb;
begin
  begin
    select coalesce(jsonb_object_agg(s.step_slug, s.output), '{}') into v_output
    from pgflow.step_states as s
    where s.run_id = p_run_id
      and not exists (
        select from pgflow.deps as d
        cross join lateral (
          select from pgflow.step_states as c where c.run_id = s.run_id and c.step_slug = d.step_slug limit 1
        ) as c
        where d.flow_slug = s.flow_slug and d.dep_slug = s.step_slug
      );
  exception when program_limit_exceeded then
    update pgflow.runs as r set remaining_steps = 0 where r.run_id = p_run_id and r.status = 'started';
    perform pgflow._fail_run(
      p_run_id, null, 'The outputs of the last steps are together larger than jsonb can hold'
    );
    return;
  end;

  update pgflow.runs as r
  set status = 'completed', remaining_steps = 0, output = v_output, completed_at = clock_timestamp()
  where r.run_id = p_run_id and r.status = 'started';
  if found then
    perform pgflow._broadcast_run(array[p_run_id]);
  end if;
end
$$;

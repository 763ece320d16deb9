-- Complete a run that has no remaining steps: its output is {leaf step slug: its output}. An output that jsonb cannot
-- hold fails the run instead. Anything else is left alone.
-- Locks: the run. Called by whoever completed the last step, and by the start functions for a flow without steps.
create or replace function pgflow.maybe_complete_run(run_id uuid) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  v_output jsonb;
begin
  -- No lock yet: a run without remaining steps changes in this way only.
  perform from pgflow.runs as r
  where r.run_id = maybe_complete_run.run_id and r.status = 'started' and r.remaining_steps = 0;
  if not found then
    return;
  end if;

  begin
    select coalesce(jsonb_object_agg(s.step_slug, s.output), '{}') into v_output
    from pgflow.step_states as s
    where s.run_id = maybe_complete_run.run_id
      and not exists (
        select from pgflow.deps as d
        cross join lateral (
          select from pgflow.step_states as c where c.run_id = s.run_id and c.step_slug = d.step_slug limit 1
        ) as c
        where d.flow_slug = s.flow_slug and d.dep_slug = s.step_slug
      );
  exception when program_limit_exceeded then
    perform pgflow._fail_run(
      maybe_complete_run.run_id, null, 'The outputs of the last steps are together larger than jsonb can hold'
    );
    return;
  end;

  update pgflow.runs as r
  set status = 'completed', output = v_output, completed_at = clock_timestamp()
  where r.run_id = maybe_complete_run.run_id and r.status = 'started';
  if found then
    perform pgflow._broadcast_run(array[maybe_complete_run.run_id]);
  end if;
end
$$;

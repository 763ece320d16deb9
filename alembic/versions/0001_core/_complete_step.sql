-- Complete one step, start what has become ready, and complete the run when nothing remains.
-- Locks: the step, then its dependents' steps; the caller holds the run. Called by _complete_one.
create or replace function pgflow._complete_step(
  p_flow_slug text,
  p_run_id uuid,
  p_step_slug text,
  p_output jsonb
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ready text[];
begin
  update pgflow.step_states as s
  set status = 'completed', remaining_tasks = 0, output = p_output, completed_at = clock_timestamp()
  where s.run_id = p_run_id and s.step_slug = p_step_slug;

  with waiting as (
    update pgflow.step_states as s
    set remaining_deps = s.remaining_deps - 1
    where s.run_id = p_run_id
      and s.step_slug = any(array(
        select d.step_slug from pgflow.deps as d where d.flow_slug = p_flow_slug and d.dep_slug = p_step_slug
      ))
    returning s.step_slug, s.remaining_deps
  )
  select array_agg(step_slug order by step_slug) into v_ready from waiting where remaining_deps = 0;
  if cardinality(v_ready) = 1 then
    perform pgflow._start_step(p_flow_slug, p_run_id, v_ready[1]);
  elsif v_ready is not null then
    perform pgflow._start_steps(p_flow_slug, array_fill(p_run_id, array[cardinality(v_ready)]), v_ready);
  end if;

  update pgflow.runs as r set remaining_steps = r.remaining_steps - 1 where r.run_id = p_run_id;
  perform pgflow.maybe_complete_run(p_run_id);
end
$$;

-- Complete one step, and with it every fan-out step below that then has nothing to do, however deep; start what has
-- become ready; complete the run when nothing remains.
-- Locks: the step, then its dependents' steps; the caller holds the run. Called by _complete_one, _complete_fanout
-- and _start_fanout.
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
  v_completed text[] := array[p_step_slug];
  v_done integer := 0;
  v_ready text[];
  v_empty text[];
  v_to_start text[] := '{}'::text[];
begin
  while v_done < cardinality(v_completed) loop
    v_done := v_done + 1;

    update pgflow.step_states as s
    set
      status = 'completed',
      initial_tasks = coalesce(s.initial_tasks, 0),
      remaining_tasks = 0,
      output = case v_done when 1 then p_output else '[]' end,
      started_at = coalesce(s.started_at, clock_timestamp()),
      completed_at = clock_timestamp()
    where s.run_id = p_run_id and s.step_slug = v_completed[v_done];
    perform pgflow._broadcast_steps(array[p_run_id], array[v_completed[v_done]]);

    with waiting as (
      update pgflow.step_states as s
      set remaining_deps = s.remaining_deps - 1
      where s.run_id = p_run_id
        and s.step_slug = any(array(
          select d.step_slug from pgflow.deps as d
          where d.flow_slug = p_flow_slug and d.dep_slug = v_completed[v_done]
        ))
      returning s.step_slug, s.remaining_deps
    )
    select array_agg(step_slug order by step_slug) into v_ready from waiting where remaining_deps = 0;

    if v_ready is not null then
      v_empty := '{}';
      if v_done > 1 or p_output = '[]' then
        select coalesce(array_agg(r.slug), '{}') into v_empty
        from unnest(v_ready) as r (slug)
        where (
          select t.step_type from pgflow.steps as t where t.flow_slug = p_flow_slug and t.step_slug = r.slug
        ) = 'fanout';
      end if;
      v_completed := v_completed || v_empty;
      v_to_start := v_to_start || array(select r.slug from unnest(v_ready) as r (slug) where r.slug <> all(v_empty));
    end if;
  end loop;

  if cardinality(v_to_start) = 1 then
    perform pgflow._start_step(p_flow_slug, p_run_id, v_to_start[1]);
  elsif v_to_start <> '{}' then
    perform pgflow._start_steps(p_flow_slug, array_fill(p_run_id, array[cardinality(v_to_start)]), v_to_start);
  end if;
  update pgflow.runs as r set remaining_steps = r.remaining_steps - v_done where r.run_id = p_run_id;
  perform pgflow.maybe_complete_run(p_run_id);
end
$$;

-- Start every step of a run that waits for nothing: mark it started, send its '<step>:started' event, create its tasks
-- and their messages. The engine starts steps as soon as they are ready, so this finds something only where a run was
-- changed by hand. Locks: the run, then the steps. Called by operators and by plain SQL.
create or replace function pgflow.start_ready_steps(run_id uuid) returns void
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
  v_flow_slug text;
  v_ready text[];
begin
  perform pgflow._require_read_committed();
  select r.flow_slug into v_flow_slug from pgflow.runs as r
  where r.run_id = start_ready_steps.run_id and r.status = 'started'
  for no key update;
  if not found then
    return;
  end if;
  select array_agg(s.step_slug order by s.step_slug) into v_ready from pgflow.step_states as s
  where s.run_id = start_ready_steps.run_id and s.status = 'created' and s.remaining_deps = 0;
  if v_ready is not null then
    perform pgflow._start_steps(
      v_flow_slug, array_fill(start_ready_steps.run_id, array[cardinality(v_ready)]), v_ready
    );
  end if;
end
$$;

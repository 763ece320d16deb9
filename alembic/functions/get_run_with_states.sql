-- A run and its steps by slug, as one statement sees them; no row if there is no such run. Locks nothing.
-- Called by clients, for reconnection and to observe existing runs.
create or replace function pgflow.get_run_with_states(p_run_id uuid)
returns table (run pgflow.runs, steps pgflow.step_states[])
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return query
  select
    r,
    array(select s from pgflow.step_states as s where s.run_id = r.run_id order by s.step_slug)
  from pgflow.runs as r
  where r.run_id = p_run_id;
end
$$;

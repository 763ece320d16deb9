-- get_run_with_states for many runs: a row for each that exists. Locks nothing. Called by a client's listener.
create or replace function pgflow.get_runs_with_states(p_run_ids uuid[])
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
  where r.run_id = any(p_run_ids);
end
$$;

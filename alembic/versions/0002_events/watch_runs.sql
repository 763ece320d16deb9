-- watch_run for many runs: marks them and returns a snapshot for each that exists.
-- Locks: the runs that are not watched yet, in run_id order. Called by watch_run and by a client's listener.
create or replace function pgflow.watch_runs(p_run_ids uuid[])
returns table (run pgflow.runs, steps pgflow.step_states[])
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
  perform pgflow._require_read_committed();
  perform from pgflow.runs as r
  where r.run_id = any(p_run_ids) and r.status = 'started' and not r.watched
  order by r.run_id
  for no key update;
  update pgflow.runs as r set watched = true
  where r.run_id = any(p_run_ids) and r.status = 'started' and not r.watched;
  return query select s.run, s.steps from pgflow.get_runs_with_states(p_run_ids) as s;
end
$$;

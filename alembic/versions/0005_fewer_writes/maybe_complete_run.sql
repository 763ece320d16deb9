-- Complete a run that has no remaining steps; anything else is left alone.
-- Locks: the run. Called by the start functions for a flow without steps.
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
begin
  -- No lock yet: a run without remaining steps changes in this way only.
  perform from pgflow.runs as r
  where r.run_id = maybe_complete_run.run_id and r.status = 'started' and r.remaining_steps = 0;
  if found then
    perform pgflow._complete_run(maybe_complete_run.run_id);
  end if;
end
$$;

-- The status of many runs, cheap enough to poll where NOTIFY does not arrive: a row for each run that exists. The
-- version grows whenever a step or the run has moved, so an unchanged one means that there is nothing to fetch.
-- Locks nothing. Called by a client's listener.
create or replace function pgflow.get_run_statuses(p_run_ids uuid[])
returns table (run_id uuid, status text, version bigint)
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
    r.run_id,
    r.status,
    (
      select
        count(*) filter (where s.status <> 'created')
        + count(*) filter (where s.status in ('completed', 'failed', 'cancelled'))
      from pgflow.step_states as s
      where s.run_id = r.run_id
    )
  from pgflow.runs as r
  where r.run_id = any(p_run_ids);
end
$$;

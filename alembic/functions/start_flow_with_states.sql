-- start_flow, then the whole initial snapshot: the run and its steps by slug.
-- Locks: as start_flow. Called by clients and by plain SQL.
create or replace function pgflow.start_flow_with_states(
  p_flow_slug text,
  p_input jsonb,
  p_run_id uuid default null,
  p_idempotency_key text default null,
  p_watched boolean default true
) returns table (run pgflow.runs, steps pgflow.step_states[])
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id uuid;
begin
  select r.run_id into strict v_run_id
  from pgflow.start_flow(p_flow_slug, p_input, p_run_id, p_idempotency_key, p_watched) as r;
  return query select s.run, s.steps from pgflow.get_run_with_states(v_run_id) as s;
end
$$;

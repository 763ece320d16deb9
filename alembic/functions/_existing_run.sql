-- The run that already bears a run id or idempotency key, if it is the run that was asked for; else an error.
-- Called by start_flow when its insert met a run. Locks nothing.
create or replace function pgflow._existing_run(
  p_flow_slug text,
  p_input jsonb,
  p_run_id uuid,
  p_idempotency_key text
) returns setof pgflow.runs
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pgflow.runs;
begin
  select r.* into v_run from pgflow.runs as r where r.run_id = p_run_id;
  if not found then
    select r.* into v_run from pgflow.runs as r
    where r.flow_slug = p_flow_slug and r.idempotency_key = p_idempotency_key;
  end if;
  if not found then
    raise exception using
      errcode = '40001',
      message = 'the run that bears this run id or idempotency key is newer than this transaction''s snapshot',
      hint = 'Retry the transaction.';
  end if;
  if v_run.flow_slug <> p_flow_slug
    or v_run.input <> p_input
    or v_run.run_id <> coalesce(p_run_id, v_run.run_id)
    or v_run.idempotency_key is distinct from coalesce(p_idempotency_key, v_run.idempotency_key)
  then
    raise exception using
      errcode = 'PF004',
      message = format(
        'run %s of flow %L already bears this %s, with another flow, input or identity',
        v_run.run_id,
        v_run.flow_slug,
        case when v_run.run_id = p_run_id then 'run id' else 'idempotency key' end
      ),
      hint = 'Use a new run id or key for another run.';
  end if;
  return next v_run;
end
$$;

-- Report many failed attempts, of any runs and flows; the arrays run in parallel. Returns the reports that changed
-- nothing. One after the other, since each has a verdict of its own and failures are few.
-- Locks: the runs in run_id order, then as fail_task. Called by workers.
create or replace function pgflow.fail_tasks(
  p_run_ids uuid[],
  p_step_slugs text[],
  p_task_indexes integer[],
  p_error_messages text[],
  p_tokens integer[],
  p_permanent boolean[],
  p_retry_delays double precision[],
  p_tracebacks text[]
) returns table (run_id uuid, step_slug text, task_index integer, token integer)
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
#variable_conflict use_column
begin
  perform pgflow._require_read_committed();
  perform pgflow._require_parallel(
    cardinality(p_run_ids), cardinality(p_step_slugs), cardinality(p_task_indexes), cardinality(p_error_messages),
    cardinality(p_tokens), cardinality(p_permanent), cardinality(p_retry_delays), cardinality(p_tracebacks)
  );
  perform from pgflow.runs as r
  where r.run_id = any(p_run_ids) and r.status = 'started'
  order by r.run_id
  for no key update;

  for i in 1..coalesce(cardinality(p_run_ids), 0) loop
    if not pgflow._fail_one(
      p_run_ids[i], p_step_slugs[i], p_task_indexes[i], p_error_messages[i], p_tokens[i],
      p_permanent[i], p_retry_delays[i], p_tracebacks[i]
    ) then
      return query select p_run_ids[i], p_step_slugs[i], p_task_indexes[i], p_tokens[i];
    end if;
  end loop;
end
$$;

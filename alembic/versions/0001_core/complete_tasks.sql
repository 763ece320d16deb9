-- Report many results, of any runs and flows, in one statement; the arrays run in parallel. Returns the reports that
-- changed nothing because they were late, stale or duplicate. One report takes the scalar path, many the set-based one.
-- Locks: the runs in run_id order, then as complete_task. Called by workers.
create or replace function pgflow.complete_tasks(
  p_run_ids uuid[],
  p_step_slugs text[],
  p_task_indexes integer[],
  p_outputs jsonb[],
  p_tokens integer[]
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
declare
  v_flow_slug text;
  v_taken bigint[] := '{}'::bigint[];
begin
  perform pgflow._require_read_committed();
  perform pgflow._require_parallel(
    cardinality(p_run_ids), cardinality(p_step_slugs), cardinality(p_task_indexes), cardinality(p_outputs),
    cardinality(p_tokens)
  );
  if cardinality(p_run_ids) = 1 then
    if not pgflow._complete_one(p_run_ids[1], p_step_slugs[1], p_task_indexes[1], p_outputs[1], p_tokens[1]) then
      return query select p_run_ids[1], p_step_slugs[1], p_task_indexes[1], p_tokens[1];
    end if;
    return;
  end if;

  for v_flow_slug in
    select distinct locked.flow_slug from (
      select r.flow_slug from pgflow.runs as r
      where r.run_id = any(p_run_ids) and r.status = 'started'
      order by r.run_id
      for no key update
    ) as locked
  loop
    v_taken := v_taken || pgflow._complete_many(
      v_flow_slug, p_run_ids, p_step_slugs, p_task_indexes, p_outputs, p_tokens
    );
  end loop;

  if cardinality(v_taken) < cardinality(p_run_ids) then
    return query
    select e.run_id, e.step_slug, e.task_index, e.token
    from unnest(p_run_ids, p_step_slugs, p_task_indexes, p_tokens)
      with ordinality as e (run_id, step_slug, task_index, token, n)
    where e.n not in (select unnest(v_taken));
  end if;
end
$$;

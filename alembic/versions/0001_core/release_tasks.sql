-- Hand claimed tasks back unfinished: visible to others at once, the attempt not counted, the token spent. Returns the
-- claims that were lost before. The arrays run in parallel.
-- Locks: the runs in run_id order, the tasks, their messages. Called by workers that stop.
create or replace function pgflow.release_tasks(
  p_run_ids uuid[],
  p_step_slugs text[],
  p_task_indexes integer[],
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
  v_queue record;
  v_released bigint[] := '{}'::bigint[];
begin
  perform pgflow._require_read_committed();
  perform pgflow._require_parallel(
    cardinality(p_run_ids), cardinality(p_step_slugs), cardinality(p_task_indexes), cardinality(p_tokens)
  );
  perform from pgflow.runs as r
  where r.run_id = any(p_run_ids) and r.status = 'started'
  order by r.run_id
  for no key update;

  for v_queue in
    with located as materialized (
      select e.n, t.located
      from unnest(p_run_ids, p_step_slugs, p_task_indexes, p_tokens)
        with ordinality as e (run_id, step_slug, task_index, token, n)
      cross join lateral (
        select t.ctid as located from pgflow.step_tasks as t
        where t.run_id = e.run_id
          and t.step_slug = e.step_slug
          and t.task_index = e.task_index
          and t.token = e.token
          and t.status = 'started'
        limit 1
        for no key update
      ) as t
    ),
    released as (
      update pgflow.step_tasks as t
      set status = 'queued', started_at = null, attempts_count = t.attempts_count - 1
      from located as l
      where t.ctid = l.located
      returning l.n, t.flow_slug, t.message_id
    )
    select flow_slug, array_agg(n) as positions, array_agg(message_id) as messages from released group by flow_slug
  loop
    v_released := v_released || v_queue.positions;
    perform pgflow._delay_messages(v_queue.flow_slug, v_queue.messages, 0);
  end loop;

  if cardinality(v_released) < cardinality(p_run_ids) then
    return query
    select e.run_id, e.step_slug, e.task_index, e.token
    from unnest(p_run_ids, p_step_slugs, p_task_indexes, p_tokens)
      with ordinality as e (run_id, step_slug, task_index, token, n)
    where e.n not in (select unnest(v_released));
  end if;
end
$$;

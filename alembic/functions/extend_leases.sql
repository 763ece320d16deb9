-- Hold claimed tasks for p_lease more seconds from now, but not beyond their timeout by more than the five seconds in
-- which the holder reports it. Returns the claims that are lost: the task is over, handed back, or another attempt's.
-- The arrays run in parallel.
-- Locks: messages, with skip locked: whoever holds one is about to end or retake the task. Called by workers.
create or replace function pgflow.extend_leases(
  p_run_ids uuid[],
  p_step_slugs text[],
  p_task_indexes integer[],
  p_tokens integer[],
  p_lease double precision
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
  v_held bigint[] := '{}'::bigint[];
begin
  perform pgflow._require_parallel(
    cardinality(p_run_ids), cardinality(p_step_slugs), cardinality(p_task_indexes), cardinality(p_tokens)
  );
  for v_queue in
    select
      t.flow_slug,
      array_agg(e.n) as positions,
      array_agg(t.message_id) as messages,
      array_agg(
        least(clock_timestamp() + make_interval(secs => p_lease), t.started_at + make_interval(secs => o.timeout + 5.0))
      ) as leases
    from unnest(p_run_ids, p_step_slugs, p_task_indexes, p_tokens)
      with ordinality as e (run_id, step_slug, task_index, token, n)
    cross join lateral (
      select t.flow_slug, t.message_id, t.started_at from pgflow.step_tasks as t
      where t.run_id = e.run_id
        and t.step_slug = e.step_slug
        and t.task_index = e.task_index
        and t.token = e.token
        and t.status = 'started'
      limit 1
    ) as t
    cross join lateral (
      select coalesce(s.opt_timeout, f.opt_timeout) as timeout
      from pgflow.steps as s, pgflow.flows as f
      where f.flow_slug = t.flow_slug and s.flow_slug = t.flow_slug and s.step_slug = e.step_slug
      limit 1
    ) as o
    group by t.flow_slug
  loop
    v_held := v_held || v_queue.positions;
    execute format(
      $extend$
        with held as materialized (
          select m.located, e.lease
          from unnest($1, $2) as e (msg_id, lease)
          cross join lateral (
            select m.ctid as located from pgmq.%1$I as m
            where m.msg_id = e.msg_id and m.vt < e.lease
            limit 1
            for update skip locked
          ) as m
        )
        update pgmq.%1$I as m set vt = h.lease from held as h where m.ctid = h.located
      $extend$,
      'q_' || lower(v_queue.flow_slug)
    ) using v_queue.messages, v_queue.leases;
  end loop;

  if cardinality(v_held) < cardinality(p_run_ids) then
    return query
    select e.run_id, e.step_slug, e.task_index, e.token
    from unnest(p_run_ids, p_step_slugs, p_task_indexes, p_tokens)
      with ordinality as e (run_id, step_slug, task_index, token, n)
    where e.n not in (select unnest(v_held));
  end if;
end
$$;

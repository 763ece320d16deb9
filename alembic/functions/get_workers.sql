-- The workers of the last week: those that work first, then those that died, then those that stopped in order, the
-- newest first. A worker is dead if it has not been heard of for 30 seconds, four of its heartbeats; one that was only
-- suspended or cut off is running again with the next. running_tasks counts the tasks whose lease it holds: those of a
-- dead worker go as their leases end.
-- They are counted by way of the queues, where a finished task leaves nothing and the index on vt leads past what is
-- ready; only delayed messages are looked at in vain. An index on the tasks' worker would be written at every start and
-- end of a task.
-- Locks nothing. Called by operators.
create or replace function pgflow.get_workers()
returns table (
  worker_id uuid,
  function_name text,
  flow_slugs text[],
  status text,
  started_at timestamptz,
  last_heartbeat_at timestamptz,
  stopped_at timestamptz,
  running_tasks bigint
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  c_dead_after constant interval := '30 seconds';
  v_now timestamptz := clock_timestamp();
  v_flow_slug text;
  v_holders uuid[];
  v_holds uuid[] := '{}';
begin
  for v_flow_slug in select f.flow_slug from pgflow.flows as f loop
    begin
      execute format(
        $holders$
          select array_agg(t.last_worker_id)
          from (
            select
              m.msg_id,
              -- What others have put into the queue finds no task.
              case when m.message ->> 'run_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                then (m.message ->> 'run_id')::uuid end as run_id,
              m.message ->> 'step_slug' as step_slug,
              case when m.message ->> 'task_index' ~ '^[0-9]{1,9}$' then (m.message ->> 'task_index')::integer end
                as task_index
            from pgmq.%I as m
            where m.vt > $1 and m.read_ct > 0
            offset 0
          ) as m
          cross join lateral (
            select t.last_worker_id from pgflow.step_tasks as t
            where t.run_id = m.run_id
              and t.step_slug = m.step_slug
              and t.task_index = m.task_index
              and t.message_id = m.msg_id
              and t.status = 'started'
              and t.last_worker_id is not null
            limit 1
          ) as t
        $holders$,
        'q_' || lower(v_flow_slug)
      ) into v_holders using v_now;
    exception when undefined_table then
      continue;  -- the flow has just been deleted
    end;
    v_holds := v_holds || v_holders;
  end loop;

  return query
  select
    w.worker_id, w.function_name, string_to_array(w.queue_name, ','), s.status,
    w.started_at, w.last_heartbeat_at, w.stopped_at, coalesce(h.tasks, 0)
  from pgflow.workers as w
  cross join lateral (
    select case
      when w.stopped_at is not null then 'stopped'
      when w.last_heartbeat_at < v_now - c_dead_after then 'dead'
      else 'running'
    end as status
  ) as s
  left join (
    select e.worker_id, count(*) as tasks from unnest(v_holds) as e (worker_id) group by e.worker_id
  ) as h on h.worker_id = w.worker_id
  order by array_position('{running,dead,stopped}'::text[], s.status), w.started_at desc, w.worker_id;
end
$$;

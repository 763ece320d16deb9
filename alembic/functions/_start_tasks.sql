-- Start the tasks of claimed messages, with the messages' read counts as their tokens: a queued task starts, a started
-- one only if its message was read again since, which means that its lease ran out. The arrays run in parallel.
-- Locks: tasks, with skip locked, since whoever holds a message must not wait: a report holds the task and waits for
-- the message. Called by _claim, claim_run_tasks and start_tasks.
create or replace function pgflow._start_tasks(
  p_flow_slug text,
  p_message_ids bigint[],
  p_tokens integer[],
  p_keys jsonb[],
  p_worker_id uuid
) returns setof pgflow.step_task_record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_ids uuid[];
  v_step_slugs text[];
  v_task_indexes integer[];
  v_started bigint[];
  v_returned integer;
begin
  with claimed as (
    select
      e.message_id,
      e.token,
      -- What others have put into the queue finds no task, instead of keeping the claim from the rest.
      case when e.key ->> 'run_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (e.key ->> 'run_id')::uuid end
        as run_id,
      e.key ->> 'step_slug' as step_slug,
      case when e.key ->> 'task_index' ~ '^[0-9]{1,9}$' then (e.key ->> 'task_index')::integer end as task_index
    from unnest(p_message_ids, p_tokens, p_keys) as e (message_id, token, key)
  ),
  located as materialized (
    select t.located, c.token
    from claimed as c
    cross join lateral (
      select t.ctid as located from pgflow.step_tasks as t
      where t.run_id = c.run_id
        and t.step_slug = c.step_slug
        and t.task_index = c.task_index
        and t.message_id = c.message_id
        and (
          t.status = 'queued' and (t.token < c.token or t.token = 0)
          or t.status = 'started' and t.token < c.token and t.attempts_count < (
            select coalesce(s.opt_max_attempts, f.opt_max_attempts)
            from pgflow.steps as s, pgflow.flows as f
            where f.flow_slug = p_flow_slug and s.flow_slug = p_flow_slug and s.step_slug = c.step_slug
          )
        )
      limit 1
      for update skip locked
    ) as t
  ),
  started as (
    update pgflow.step_tasks as t
    set
      status = 'started',
      token = l.token,
      attempts_count = t.attempts_count + 1,
      started_at = clock_timestamp(),
      last_worker_id = p_worker_id
    from located as l
    where t.ctid = l.located
    returning t.run_id, t.step_slug, t.task_index, t.message_id
  )
  select
    coalesce(array_agg(run_id), '{}'), array_agg(step_slug), array_agg(task_index), array_agg(message_id)
  into v_run_ids, v_step_slugs, v_task_indexes, v_started
  from started;

  if cardinality(v_run_ids) < cardinality(p_message_ids) then
    perform pgflow._settle_claimed(
      p_flow_slug, array(select unnest(p_message_ids) except select unnest(v_started))
    );
  end if;
  if v_run_ids = '{}' then
    return;
  end if;

  return query
  select p_flow_slug, t.run_id, t.step_slug, t.input, t.message_id, t.task_index, t.token, t.attempts_count
  from unnest(v_run_ids, v_step_slugs, v_task_indexes) as e (run_id, step_slug, task_index)
  cross join lateral (
    select t.*, pgflow._task_input(t) as input from pgflow.step_tasks as t
    where t.run_id = e.run_id and t.step_slug = e.step_slug and t.task_index = e.task_index and t.status = 'started'
    limit 1
  ) as t
  where t.input is not null;
  get diagnostics v_returned = row_count;
  if v_returned < cardinality(v_run_ids) then
    perform pgflow._fail_without_input(p_flow_slug, v_run_ids, v_step_slugs, v_task_indexes);
  end if;
end
$$;

-- Every task, or lack of one, that contradicts its step, and every row without a run. Locks nothing.
-- Called by check_invariants.
create or replace function pgflow._check_tasks()
returns table (invariant text, run_id uuid, step_slug text, task_index integer, detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select 'a step has a task for each of its initial_tasks, and remaining_tasks counts the open ones',
    s.run_id, s.step_slug, null::integer,
    format('initial_tasks is %s of %s, remaining_tasks is %s of %s',
      s.initial_tasks, t.tasks, s.remaining_tasks, t.unfinished)
  from pgflow.step_states as s
  cross join lateral (
    select count(*) as tasks, count(*) filter (where t.status <> 'completed') as unfinished
    from pgflow.step_tasks as t where t.run_id = s.run_id and t.step_slug = s.step_slug
  ) as t
  where s.started_at is not null and (s.initial_tasks, s.remaining_tasks) is distinct from (t.tasks, t.unfinished)
    or s.started_at is null and t.tasks > 0;

  return query
  select 'an open task belongs to a started step, and a completed step has completed tasks only',
    t.run_id, t.step_slug, t.task_index, format('the task is %s, the step %s', t.status, coalesce(s.status, 'missing'))
  from pgflow.step_tasks as t
  left join pgflow.step_states as s on s.run_id = t.run_id and s.step_slug = t.step_slug
  where s.status is null
    or t.status in ('queued', 'started') and s.status <> 'started'
    or s.status = 'completed' and t.status <> 'completed';

  return query
  select 'a task of a fan-out step has its item', t.run_id, t.step_slug, t.task_index, 'the item is missing'
  from pgflow.step_tasks as t
  join pgflow.steps as d on d.flow_slug = t.flow_slug and d.step_slug = t.step_slug
  left join pgflow.task_items as i
    on i.run_id = t.run_id and i.step_slug = t.step_slug and i.task_index = t.task_index
  where (d.step_type = 'fanout') <> ((t.item is null) <> (i.item is null));

  return query
  select 'a row belongs to a run', o.run_id, o.step_slug, null::integer, 'the run is missing'
  from (
    select s.run_id, s.step_slug from pgflow.step_states as s
    union select t.run_id, t.step_slug from pgflow.step_tasks as t
    union select i.run_id, i.step_slug from pgflow.task_items as i
  ) as o
  where not exists (select from pgflow.runs as r where r.run_id = o.run_id);
end
$$;

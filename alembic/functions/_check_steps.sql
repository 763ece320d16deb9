-- Every step whose counters, status or output contradict its dependencies and tasks. Locks nothing.
-- Called by check_invariants.
create or replace function pgflow._check_steps()
returns table (invariant text, run_id uuid, step_slug text, task_index integer, detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select 'remaining_deps counts the dependencies that are not completed', s.run_id, s.step_slug, null::integer,
    format('remaining_deps is %s, open dependencies are %s', s.remaining_deps, open.deps)
  from pgflow.step_states as s
  cross join lateral (
    select count(*) as deps
    from pgflow.deps as d
    join pgflow.step_states as p on p.run_id = s.run_id and p.step_slug = d.dep_slug and p.status <> 'completed'
    where d.flow_slug = s.flow_slug and d.step_slug = s.step_slug
  ) as open
  where s.remaining_deps <> open.deps;

  return query
  select 'a step that waits for nothing has started', s.run_id, s.step_slug, null::integer, 'the step is created'
  from pgflow.step_states as s where s.status = 'created' and s.remaining_deps = 0;

  return query
  select 'a started step with nothing left is completed', s.run_id, s.step_slug, null::integer, 'remaining_tasks is 0'
  from pgflow.step_states as s where s.status = 'started' and s.remaining_tasks = 0;

  return query
  select 'the output of a completed step is what its tasks returned', s.run_id, s.step_slug, null::integer,
    'the outputs differ'
  from pgflow.step_states as s
  join pgflow.steps as d on d.flow_slug = s.flow_slug and d.step_slug = s.step_slug
  cross join lateral (
    select coalesce(jsonb_agg(t.output order by t.task_index), '[]') as outputs
    from pgflow.step_tasks as t where t.run_id = s.run_id and t.step_slug = s.step_slug
  ) as t
  where s.status = 'completed'
    and s.output <> case d.step_type when 'fanout' then t.outputs else t.outputs -> 0 end;
end
$$;

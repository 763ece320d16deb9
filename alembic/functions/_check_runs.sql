-- Every run whose counter, status or output contradicts its steps. Locks nothing.
-- Called by check_invariants.
create or replace function pgflow._check_runs()
returns table (invariant text, run_id uuid, step_slug text, task_index integer, detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select 'remaining_steps counts the steps that are not completed', r.run_id, null::text, null::integer,
    format('remaining_steps is %s, open steps are %s', r.remaining_steps, open.steps)
  from pgflow.runs as r
  cross join lateral (
    select count(*) as steps from pgflow.step_states as s where s.run_id = r.run_id and s.status <> 'completed'
  ) as open
  where r.remaining_steps <> open.steps;

  return query
  select 'a run that is over has no open steps', s.run_id, s.step_slug, null::integer,
    format('the step is %s', s.status)
  from pgflow.step_states as s
  join pgflow.runs as r on r.run_id = s.run_id
  where r.status <> 'started' and s.status in ('created', 'started')
    or r.status = 'completed' and s.status <> 'completed'
    or r.status = 'started' and s.status in ('failed', 'cancelled');

  return query
  select 'a started run with nothing left is completed', r.run_id, null::text, null::integer, 'remaining_steps is 0'
  from pgflow.runs as r where r.status = 'started' and r.remaining_steps = 0;

  return query
  select 'the output of a completed run is that of its last steps', r.run_id, null::text, null::integer,
    'the outputs differ'
  from pgflow.runs as r
  where r.status = 'completed' and r.output <> (
    select coalesce(jsonb_object_agg(s.step_slug, s.output), '{}') from pgflow.step_states as s
    where s.run_id = r.run_id and not exists (
      select from pgflow.deps as d
      join pgflow.step_states as c on c.run_id = s.run_id and c.step_slug = d.step_slug
      where d.flow_slug = s.flow_slug and d.dep_slug = s.step_slug
    )
  );
end
$$;

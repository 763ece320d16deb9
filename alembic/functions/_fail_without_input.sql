-- Fail those of the tasks just started whose input is larger than jsonb can hold, and their runs; one whose run cannot
-- be had without waiting stays started and comes back when its lease ends. The arrays run in parallel.
-- Locks: as _fail_claimed. Called by _start_tasks.
create or replace function pgflow._fail_without_input(
  p_flow_slug text,
  p_run_ids uuid[],
  p_step_slugs text[],
  p_task_indexes integer[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_task pgflow.step_tasks;
begin
  for v_task in
    select t.* from unnest(p_run_ids, p_step_slugs, p_task_indexes) as e (run_id, step_slug, task_index)
    cross join lateral (
      select t.* from pgflow.step_tasks as t
      where t.run_id = e.run_id and t.step_slug = e.step_slug and t.task_index = e.task_index
      limit 1
    ) as t
    where t.status = 'started' and pgflow._task_input(t) is null
  loop
    perform pgflow._fail_claimed(
      p_flow_slug, v_task.run_id, v_task.step_slug, v_task.task_index,
      'The input of the task is larger than jsonb can hold'
    );
  end loop;
end
$$;

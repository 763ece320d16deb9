-- What a task's handler is given: {"item": …} for a task of a fan-out, {"run": …, "deps": {…}} for a single step's.
-- Null if jsonb cannot hold it. Called by _start_tasks and _fail_without_input. Locks nothing.
create or replace function pgflow._task_input(p_task pgflow.step_tasks) returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_item jsonb := p_task.item;
begin
  if (
    select s.step_type from pgflow.steps as s where s.flow_slug = p_task.flow_slug and s.step_slug = p_task.step_slug
  ) = 'fanout' then
    if v_item is null then
      select i.item into strict v_item from pgflow.task_items as i
      where i.run_id = p_task.run_id and i.step_slug = p_task.step_slug and i.task_index = p_task.task_index;
    end if;
    return jsonb_build_object('item', v_item);
  end if;

  return jsonb_build_object(
    'run', (select r.input from pgflow.runs as r where r.run_id = p_task.run_id),
    'deps', coalesce(
      (
        select jsonb_object_agg(d.dep_slug, parent.output)
        from pgflow.deps as d
        cross join lateral (
          select s.output from pgflow.step_states as s
          where s.run_id = p_task.run_id and s.step_slug = d.dep_slug
          limit 1
        ) as parent
        where d.flow_slug = p_task.flow_slug and d.step_slug = p_task.step_slug
      ),
      '{}'
    )
  );
exception when program_limit_exceeded then
  return null;
end
$$;

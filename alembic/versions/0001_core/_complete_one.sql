-- Take the result of one task, with plain statements. False if the report changed nothing: the run is over, the task is
-- not started, or the token is not the attempt's.
-- Locks: the run, the task, its message, the step, dependents' steps. Called by complete_task and complete_tasks.
create or replace function pgflow._complete_one(
  p_run_id uuid,
  p_step_slug text,
  p_task_index integer,
  p_output jsonb,
  p_token integer
) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_output jsonb := coalesce(p_output, 'null');
  v_flow_slug text;
  v_message_id bigint;
begin
  select r.flow_slug into v_flow_slug from pgflow.runs as r
  where r.run_id = p_run_id and r.status = 'started'
  for no key update;
  if not found then
    return false;
  end if;

  update pgflow.step_tasks as t
  set status = 'completed', output = v_output, completed_at = clock_timestamp()
  where t.run_id = p_run_id
    and t.step_slug = p_step_slug
    and t.task_index = p_task_index
    and t.status = 'started'
    and (p_token is null or t.token = p_token)
  returning t.message_id into v_message_id;
  if not found then
    return false;
  end if;
  perform pgflow._delete_messages(v_flow_slug, array[v_message_id]);
  perform pgflow._complete_step(v_flow_slug, p_run_id, p_step_slug, v_output);
  return true;
end
$$;

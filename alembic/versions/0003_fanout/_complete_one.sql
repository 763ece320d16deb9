-- Take the result of one task, with plain statements. False if the report changed nothing: the run is over, the task is
-- not started, or the token is not the attempt's.
-- Locks: the run, the task, its message, the step, dependents' steps. Called by complete_task, complete_tasks and, for
-- a wrong shape, _complete_many.
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
  v_step_type text;
  v_message_id bigint;
  v_remaining integer;
begin
  select r.flow_slug into v_flow_slug from pgflow.runs as r
  where r.run_id = p_run_id and r.status = 'started'
  for no key update;
  if not found then
    return false;
  end if;
  select s.step_type into v_step_type from pgflow.steps as s
  where s.flow_slug = v_flow_slug and s.step_slug = p_step_slug;

  if v_step_type = 'single'
    and jsonb_typeof(v_output) <> 'array'
    and pgflow._feeds_fanout(v_flow_slug, p_run_id, p_step_slug)
  then
    return pgflow._fail_one(
      p_run_id, p_step_slug, p_task_index,
      format('Fanout dependency output must be an array, got %s', jsonb_typeof(v_output)),
      p_token, p_permanent => true, p_output => v_output
    );
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

  if v_step_type = 'single' then
    perform pgflow._complete_step(v_flow_slug, p_run_id, p_step_slug, v_output);
  else
    update pgflow.step_states as s
    set remaining_tasks = s.remaining_tasks - 1
    where s.run_id = p_run_id and s.step_slug = p_step_slug
    returning s.remaining_tasks into v_remaining;
    if v_remaining = 0 then
      perform pgflow._complete_fanout(v_flow_slug, p_run_id, p_step_slug);
    end if;
  end if;
  return true;
end
$$;

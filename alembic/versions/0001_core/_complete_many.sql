-- Take the results of many tasks of one flow, set-based; reports about other flows are passed over. Returns the
-- positions, from 1, of the reports that were taken. The arrays run in parallel.
-- Locks: the tasks, messages, steps, dependents' steps; the caller holds the runs. Called by complete_tasks.
create or replace function pgflow._complete_many(
  p_flow_slug text,
  p_run_ids uuid[],
  p_step_slugs text[],
  p_task_indexes integer[],
  p_outputs jsonb[],
  p_tokens integer[]
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_taken bigint[];
  v_messages bigint[];
  v_run_ids uuid[];
  v_step_slugs text[];
  v_outputs jsonb[];
begin
  -- A row is found by its key from a LATERAL with a limit, which no plan can turn into a scan of the table, and
  -- updated by its address; the conditions stand in the update too, for a row that moves in between.
  with report as materialized (
    select e.n, t.*, coalesce(e.output, 'null') as output, e.token
    from unnest(p_run_ids, p_step_slugs, p_task_indexes, p_outputs, p_tokens)
      with ordinality as e (run_id, step_slug, task_index, output, token, n)
    cross join lateral (
      select t.ctid as located from pgflow.step_tasks as t
      where t.run_id = e.run_id
        and t.step_slug = e.step_slug
        and t.task_index = e.task_index
        and t.flow_slug = p_flow_slug
        and t.status = 'started'
        and (e.token is null or t.token = e.token)
      limit 1
    ) as t
  ),
  taken as (
    update pgflow.step_tasks as t
    set status = 'completed', output = r.output, completed_at = clock_timestamp()
    from report as r
    where t.ctid = r.located
      and t.status = 'started'
      and (r.token is null or t.token = r.token)
    returning r.n, t.run_id, t.step_slug, t.message_id, t.output
  )
  select array_agg(n), array_agg(message_id), array_agg(run_id), array_agg(step_slug), array_agg(output)
  into v_taken, v_messages, v_run_ids, v_step_slugs, v_outputs
  from taken;
  if v_taken is null then
    return '{}';
  end if;

  perform pgflow._delete_messages(p_flow_slug, v_messages);
  perform pgflow._complete_steps(p_flow_slug, v_run_ids, v_step_slugs, v_outputs);
  return v_taken;
end
$$;

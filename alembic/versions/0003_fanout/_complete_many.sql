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
  v_misshapen bigint[];
  v_messages bigint[];
  v_single_runs uuid[];
  v_single_slugs text[];
  v_single_outputs jsonb[];
  v_fanout_runs uuid[];
  v_fanout_slugs text[];
  v_fanout_counts integer[];
  v_report bigint;
begin
  -- A row is found by its key from a LATERAL with a limit, which no plan can turn into a scan of the table, and
  -- updated by its address; the conditions stand in the update too, for a row that moves in between.
  with report as materialized (
    select e.n, t.*, coalesce(e.output, 'null') as output, e.token, s.step_type
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
    cross join lateral (
      select s.step_type from pgflow.steps as s
      where s.flow_slug = p_flow_slug and s.step_slug = e.step_slug
      limit 1
    ) as s
  ),
  judged as materialized (
    select
      r.*,
      r.step_type = 'single'
        and jsonb_typeof(r.output) <> 'array'
        and pgflow._feeds_fanout(p_flow_slug, p_run_ids[r.n], p_step_slugs[r.n]) as is_misshapen
    from report as r
  ),
  taken as (
    update pgflow.step_tasks as t
    set status = 'completed', output = j.output, completed_at = clock_timestamp()
    from judged as j
    where t.ctid = j.located
      and not j.is_misshapen
      and t.status = 'started'
      and (j.token is null or t.token = j.token)
    returning j.n, j.step_type, t.run_id, t.step_slug, t.message_id, t.output
  ),
  fanout as (
    select run_id, step_slug, count(*)::integer as tasks from taken where step_type = 'fanout'
    group by run_id, step_slug
  )
  select
    array_agg(n),
    array_agg(message_id),
    array_agg(run_id) filter (where step_type = 'single'),
    array_agg(step_slug) filter (where step_type = 'single'),
    array_agg(output) filter (where step_type = 'single'),
    (select array_agg(run_id) from fanout),
    (select array_agg(step_slug) from fanout),
    (select array_agg(tasks) from fanout),
    (select array_agg(n order by n) from judged where is_misshapen)
  into
    v_taken, v_messages, v_single_runs, v_single_slugs, v_single_outputs,
    v_fanout_runs, v_fanout_slugs, v_fanout_counts, v_misshapen
  from taken;

  if v_taken is not null then
    perform pgflow._delete_messages(p_flow_slug, v_messages);
  end if;
  if v_single_runs is not null then
    perform pgflow._complete_steps(p_flow_slug, v_single_runs, v_single_slugs, v_single_outputs);
  end if;
  if v_fanout_runs is not null then
    perform pgflow._advance_fanouts(p_flow_slug, v_fanout_runs, v_fanout_slugs, v_fanout_counts);
  end if;

  foreach v_report in array coalesce(v_misshapen, '{}') loop
    if pgflow._complete_one(
      p_run_ids[v_report], p_step_slugs[v_report], p_task_indexes[v_report], p_outputs[v_report], p_tokens[v_report]
    ) then
      v_taken := v_taken || v_report;
    end if;
  end loop;
  return coalesce(v_taken, '{}');
end
$$;

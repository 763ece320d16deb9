-- The messages and tasks of started single steps of one flow, a task each; a step's start_delay is its first message's.
-- The arrays run in parallel.
-- Locks: nothing that exists before. Called by the start functions and whoever completes steps,
-- under the locks of the runs.
create or replace function pgflow._queue_steps(p_flow_slug text, p_run_ids uuid[], p_step_slugs text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format(
    $queue$
      with sent as (
        insert into pgmq.%I (vt, message)
        select
          clock_timestamp() + make_interval(secs => coalesce(s.opt_start_delay, 0)),
          jsonb_build_object('flow_slug', $1, 'run_id', t.run_id, 'step_slug', t.step_slug, 'task_index', 0)
        from unnest($2, $3) as t (run_id, step_slug)
        cross join lateral (
          select s.opt_start_delay from pgflow.steps as s
          where s.flow_slug = $1 and s.step_slug = t.step_slug
          limit 1
        ) as s
        returning msg_id, message
      )
      insert into pgflow.step_tasks (run_id, step_slug, task_index, flow_slug, message_id)
      select (message ->> 'run_id')::uuid, message ->> 'step_slug', 0, $1, msg_id from sent
    $queue$,
    'q_' || lower(p_flow_slug)
  ) using p_flow_slug, p_run_ids, p_step_slugs;

  perform pgflow._wake_workers(p_flow_slug);
end
$$;

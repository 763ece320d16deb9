-- The tasks and messages of a started fan-out step, one for each element of its dependency's output, in one pass over
-- the array. A large item goes to task_items, where no transition writes it again.
-- Locks: nothing that exists before; the caller holds the run. Called by _start_fanout.
create or replace function pgflow.spawn_fanout_tasks(p_run_id uuid, p_step_slug text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_flow_slug text;
  v_start_delay integer;
  v_items jsonb;
begin
  select s.flow_slug into strict v_flow_slug from pgflow.step_states as s
  where s.run_id = p_run_id and s.step_slug = p_step_slug;
  select coalesce(s.opt_start_delay, 0) into strict v_start_delay from pgflow.steps as s
  where s.flow_slug = v_flow_slug and s.step_slug = p_step_slug;
  select parent.output into strict v_items
  from pgflow.deps as d
  cross join lateral (
    select s.output from pgflow.step_states as s where s.run_id = p_run_id and s.step_slug = d.dep_slug limit 1
  ) as parent
  where d.flow_slug = v_flow_slug and d.step_slug = p_step_slug;

  execute format(
    $spawn$
      with element as materialized (
        select
          nextval(%2$L) as msg_id,
          (e.n - 1)::integer as task_index,
          e.item,
          pg_column_size(e.item) > 200 as is_large
        from jsonb_array_elements($4) with ordinality as e (item, n)
      ),
      sent as (
        insert into pgmq.%1$I (msg_id, vt, message) overriding system value
        select
          msg_id,
          clock_timestamp() + make_interval(secs => $5),
          jsonb_build_object('flow_slug', $1, 'run_id', $2, 'step_slug', $3, 'task_index', task_index)
        from element
      ),
      stored as (
        insert into pgflow.task_items (run_id, step_slug, task_index, item)
        select $2, $3, task_index, item from element where is_large
      )
      insert into pgflow.step_tasks (run_id, step_slug, task_index, flow_slug, message_id, item)
      select $2, $3, task_index, $1, msg_id, case when not is_large then item end from element
    $spawn$,
    'q_' || lower(v_flow_slug),
    pg_get_serial_sequence(format('pgmq.%I', 'q_' || lower(v_flow_slug)), 'msg_id')
  ) using v_flow_slug, p_run_id, p_step_slug, v_items, v_start_delay;

  perform pgflow._wake_workers(v_flow_slug);
end
$$;

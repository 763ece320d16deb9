-- Start every step of a run that waits for nothing: mark it started, send its '<step>:started' event, create its tasks
-- and their messages. The engine starts steps as soon as they are ready, so this finds something only where a run was
-- changed by hand. Locks: the run, then the steps. Called by operators and by plain SQL.
create or replace function pgflow.start_ready_steps(run_id uuid) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set jit = off
as $$
declare
  v_flow_slug text;
  v_run_ids uuid[];
  v_singles text[];
  v_fanout text;
begin
  perform pgflow._require_read_committed();
  select r.flow_slug into v_flow_slug from pgflow.runs as r
  where r.run_id = start_ready_steps.run_id and r.status = 'started'
  for no key update;
  if not found then
    return;
  end if;

  with started as (
    update pgflow.step_states as s
    set status = 'started', remaining_tasks = 1, started_at = clock_timestamp()
    where s.run_id = start_ready_steps.run_id
      and s.status = 'created'
      and s.remaining_deps = 0
      and (
        select t.step_type from pgflow.steps as t where t.flow_slug = v_flow_slug and t.step_slug = s.step_slug
      ) = 'single'
    returning s.step_slug
  )
  select array_agg(step_slug order by step_slug) into v_singles from started;
  if v_singles is not null then
    v_run_ids := array_fill(start_ready_steps.run_id, array[cardinality(v_singles)]);
    perform pgflow._broadcast_steps(v_run_ids, v_singles);
    perform pgflow._queue_steps(v_flow_slug, v_run_ids, v_singles);
  end if;

  for v_fanout in
    select s.step_slug from pgflow.step_states as s
    where s.run_id = start_ready_steps.run_id and s.status = 'created' and s.remaining_deps = 0
    order by s.step_slug
  loop
    perform pgflow._start_fanout(v_flow_slug, start_ready_steps.run_id, v_fanout);
  end loop;
end
$$;

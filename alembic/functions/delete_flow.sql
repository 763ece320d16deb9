-- Delete a flow with its runs and its queue. A run that is being worked is gone: reports about it change nothing.
-- Locks: create_flow's advisory lock; the flow against starts, which waits for those in flight, so that every run is
-- seen; its runs in run_id order; sleep marks, before the queue, as a worker that goes to sleep; then the queue's
-- table, exclusively. Called by ensure_flow and by operators.
create or replace function pgflow.delete_flow(p_flow_slug text) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgflow._require_read_committed();
  perform pg_advisory_xact_lock(hashtextextended('pgflow.flow:' || lower(p_flow_slug), 0));
  if not exists (select from pgflow.flows as f where f.flow_slug = p_flow_slug) then
    return;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('pgflow.delete:' || p_flow_slug, 0));
  perform from pgflow.runs as r where r.flow_slug = p_flow_slug order by r.run_id for update;
  delete from pgflow.sleeping_workers as w where w.queue_name = p_flow_slug;
  perform pgmq.drop_queue(p_flow_slug);

  delete from pgflow.task_items as i using pgflow.runs as r where r.flow_slug = p_flow_slug and i.run_id = r.run_id;
  delete from pgflow.step_tasks as t using pgflow.runs as r where r.flow_slug = p_flow_slug and t.run_id = r.run_id;
  delete from pgflow.step_states as s using pgflow.runs as r where r.flow_slug = p_flow_slug and s.run_id = r.run_id;
  delete from pgflow.runs as r where r.flow_slug = p_flow_slug;
  delete from pgflow.deps as d where d.flow_slug = p_flow_slug;
  delete from pgflow.steps as s where s.flow_slug = p_flow_slug;
  delete from pgflow.flows as f where f.flow_slug = p_flow_slug;
end
$$;

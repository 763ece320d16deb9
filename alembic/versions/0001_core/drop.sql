-- The queues first, while the flows still say which are ours; other queues of pgmq are not touched. A flow that is
-- being created is waited for, and its queue goes with the others.
lock table pgflow.flows in access exclusive mode;

do $queues$
begin
  perform pgmq.drop_queue(f.flow_slug) from pgflow.flows as f;
end
$queues$;

drop table
  pgflow.deps,
  pgflow.flows,
  pgflow.runs,
  pgflow.sleeping_workers,
  pgflow.step_states,
  pgflow.step_tasks,
  pgflow.steps,
  pgflow.workers;

drop type pgflow.step_task_record;

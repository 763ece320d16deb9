alter table pgflow.runs set (fillfactor = 70);
alter table pgflow.step_states set (fillfactor = 70);

do $queues$
declare
  v_flow_slug text;
begin
  for v_flow_slug in select f.flow_slug from pgflow.flows as f loop
    execute format('alter table pgmq.%I reset (fillfactor)', 'q_' || lower(v_flow_slug));
  end loop;
end
$queues$;

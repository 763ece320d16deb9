-- Half of each page is left for new versions of its rows: a row that stays on its page needs no new index entries, and
-- no record of its own that it is about to move.

alter table pgflow.runs set (fillfactor = 50);
alter table pgflow.step_states set (fillfactor = 50);

do $queues$
declare
  v_flow_slug text;
begin
  for v_flow_slug in select f.flow_slug from pgflow.flows as f loop
    execute format('alter table pgmq.%I set (fillfactor = 50)', 'q_' || lower(v_flow_slug));
  end loop;
end
$queues$;

-- Every message without an open task, every open task without a message, and every token that no read gave out.
-- Locks nothing. Called by check_invariants.
create or replace function pgflow._check_queues()
returns table (invariant text, run_id uuid, step_slug text, task_index integer, detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_flow_slug text;
begin
  for v_flow_slug in select f.flow_slug from pgflow.flows as f loop
    begin
      return query execute format(
        $check$
          select
            case
              when m.msg_id is null then 'an open task has a message'
              when t.message_id is null then 'a message has an open task'
              else 'a task''s token is not beyond its message''s read count'
            end,
            t.run_id,
            t.step_slug,
            t.task_index,
            format(
              'message %%s %%s, task %%s', coalesce(m.msg_id, t.message_id), m.message, coalesce(t.status, 'missing')
            )
          from (
            select * from pgflow.step_tasks where flow_slug = %1$L and status in ('queued', 'started')
          ) as t
          full join pgmq.%2$I as m
            on m.msg_id = t.message_id
            and m.message @> jsonb_build_object(
              'flow_slug', t.flow_slug, 'run_id', t.run_id, 'step_slug', t.step_slug, 'task_index', t.task_index
            )
          where (m.msg_id is null or t.message_id is null or t.token > m.read_ct)
            -- The queue of a flow that has just been replaced is another than the one that belongs to these tasks.
            and (
              select c.oid from pg_class as c where c.relnamespace = 'pgmq'::regnamespace and c.relname = %2$L
            ) = to_regclass(format('pgmq.%%I', %2$L))
        $check$,
        v_flow_slug,
        'q_' || lower(v_flow_slug)
      );
    exception when undefined_table then
      continue;  -- the flow has just been deleted
    end;
  end loop;
end
$$;

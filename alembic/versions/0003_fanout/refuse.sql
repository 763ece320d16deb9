-- Before this revision a step has one task: what cannot be told in those terms must not be lost. Nobody adds to it
-- between the look and the end of the transaction.
lock table pgflow.steps, pgflow.step_tasks in access exclusive mode;

do $refuse$
declare
  v_flows text;
begin
  select string_agg(distinct format('%L', o.flow_slug), ', ') into v_flows
  from (
    select s.flow_slug from pgflow.steps as s where s.step_type = 'fanout'
    union all
    select t.flow_slug from pgflow.step_tasks as t where t.task_index > 0
  ) as o;
  if v_flows is not null then
    raise exception 'the schema cannot go back before 0003_fanout while there are flows with fan-out steps (%): '
      'delete them with pgflow.delete_flow() first', v_flows;
  end if;
end
$refuse$;

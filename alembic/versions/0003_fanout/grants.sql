-- What is new, and what was dropped to change its signature, comes with EXECUTE for PUBLIC and without its grants.

revoke execute on all functions in schema pgflow from public;
revoke all on pgflow.task_items from public;

do $grants$
begin
  if to_regrole('pgflow_migrator') is null then
    raise notice 'pgflow: role pgflow_migrator does not exist and is granted nothing';
    return;
  end if;
  grant execute on function pgflow.add_step, pgflow.raise_exception to pgflow_migrator;
  grant select on pgflow.task_items to pgflow_migrator;
end
$grants$;

-- Who may see the workers: those who look into everything. Host names and process ids are of no concern to the side
-- that starts runs, which often faces the public; an application or a monitor that wants them is granted the function
-- by its name. What was dropped to change its result comes back without its grants.

revoke execute on all functions in schema pgflow from public;

do $grants$
declare
  v_role text;
  v_functions text[];
  v_function text;
begin
  for v_role, v_functions in
    values
      ('pgflow_worker', array['heartbeat_worker']),
      ('pgflow_migrator', array['heartbeat_worker', 'get_workers'])
  loop
    if to_regrole(v_role) is null then
      raise notice 'pgflow: role % does not exist and is granted nothing', v_role;
      continue;
    end if;
    foreach v_function in array v_functions loop
      execute format('grant execute on function pgflow.%I to %I', v_function, v_role);
    end loop;
  end loop;
end
$grants$;

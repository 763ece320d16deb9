-- Who may start, watch and look at runs. Every new function comes with EXECUTE for PUBLIC, which is taken back.

revoke execute on all functions in schema pgflow from public;

do $grants$
declare
  v_watching text[] := array[
    'start_flow_with_states', 'get_run_with_states', 'get_runs_with_states', 'watch_run', 'watch_runs'
  ];
  v_role text;
  v_functions text[];
  v_function text;
begin
  for v_role, v_functions in
    values
      ('pgflow_client', v_watching),
      -- A handler may ask for the input of its run.
      ('pgflow_worker', array['get_run_with_states']),
      ('pgflow_migrator', v_watching)
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

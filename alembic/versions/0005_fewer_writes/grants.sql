-- What is new comes with EXECUTE for PUBLIC. Everyone may ask whether the schema still works with their code.

revoke execute on all functions in schema pgflow from public;

do $grants$
declare
  v_role text;
begin
  foreach v_role in array array['pgflow_client', 'pgflow_worker', 'pgflow_migrator'] loop
    if to_regrole(v_role) is null then
      raise notice 'pgflow: role % does not exist and is granted nothing', v_role;
      continue;
    end if;
    execute format('grant execute on function pgflow.oldest_code() to %I', v_role);
  end loop;
end
$grants$;

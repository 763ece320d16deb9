drop index pgflow.idx_step_states_run_only;

-- A realtime of somebody else's is left as it is, and so is a schema of ours into which others have put something.
do $realtime$
begin
  if obj_description(to_regprocedure('realtime.send(jsonb,text,text,boolean)'), 'pg_proc') like 'pgflow:%' then
    drop function realtime.send(jsonb, text, text, boolean);
  end if;
  if obj_description(to_regnamespace('realtime'), 'pg_namespace') like 'pgflow:%' then
    begin
      drop schema realtime;
    exception when dependent_objects_still_exist then
      raise notice 'pgflow: schema realtime stays, for it holds what is not of pgflow';
    end;
  end if;
end
$realtime$;

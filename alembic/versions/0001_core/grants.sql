-- Who may do what. PUBLIC gets nothing; the roles get functions, not tables, and the functions run as their owner.
-- Roles belong to the whole server and collect members, so they are shared by its databases and never dropped here; a
-- migration by someone who may not create roles goes on without them. Once they exist, this file and those of the same
-- name in later revisions can be run again.

revoke all on schema pgflow from public;
revoke all on all tables in schema pgflow from public;
revoke execute on all functions in schema pgflow from public;

do $roles$
declare
  v_role text;
begin
  foreach v_role in array array['pgflow_migrator', 'pgflow_client', 'pgflow_worker'] loop
    begin
      if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
        execute format('create role %I nologin', v_role);
      end if;
    exception
      -- Somebody else, in another database, was faster.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise notice 'pgflow: role % does not exist and could not be created', v_role;
    end;
  end loop;
end
$roles$;

do $grants$
declare
  -- Starts runs and asks how they fare.
  v_client text[] := array['start_flow', 'start_flows', 'get_run_statuses'];
  -- Takes tasks and reports on them.
  v_worker text[] := array[
    'check_flow', 'poll_for_tasks', 'claim_tasks', 'claim_run_tasks', 'start_tasks',
    'complete_task', 'complete_tasks', 'fail_task', 'fail_tasks', 'extend_leases', 'release_tasks',
    'sleep_on_queues', 'register_worker', 'heartbeat_worker', 'stop_worker'
  ];
  -- Defines flows, looks into everything, and mends what was changed by hand.
  v_migrator text[] := v_client || v_worker || array[
    'create_flow', 'add_step', 'ensure_flow', 'delete_flow', 'is_valid_slug',
    'start_ready_steps', 'maybe_complete_run', 'check_invariants', 'calculate_retry_delay'
  ];
  v_role text;
  v_functions text[];
  v_function text;
begin
  for v_role, v_functions in
    values ('pgflow_client', v_client), ('pgflow_worker', v_worker), ('pgflow_migrator', v_migrator)
  loop
    continue when to_regrole(v_role) is null;
    execute format('grant usage on schema pgflow to %I', v_role);
    -- Everyone asks at the start whether the schema is the one it was made for.
    execute format('grant select on pgflow.alembic_version to %I', v_role);
    foreach v_function in array v_functions loop
      execute format('grant execute on function pgflow.%I to %I', v_function, v_role);
    end loop;
  end loop;

  if to_regrole('pgflow_migrator') is not null then
    grant select on all tables in schema pgflow to pgflow_migrator;
  end if;
end
$grants$;

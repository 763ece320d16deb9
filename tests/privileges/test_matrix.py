"""Who may do what, for every object that there is: one table to read, held against the catalog.

What is not in the table fails the test, so that nobody adds a function or a table without saying for whom it is.
"""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.plugins.engine import Engine, Row

ROLES = ("client", "worker", "migrator", "public")

# x: may call or use, r: may read, -: may do nothing. Nobody but the owner may write a table, or create anything.
FUNCTIONS = """
                          client worker migrator public
add_step                    -      -       x       -
calculate_retry_delay       -      -       x       -
check_flow                  -      x       x       -
check_invariants            -      -       x       -
claim_run_tasks             -      x       x       -
claim_tasks                 -      x       x       -
complete_task               -      x       x       -
complete_tasks              -      x       x       -
create_flow                 -      -       x       -
delete_flow                 -      -       x       -
ensure_flow                 -      -       x       -
extend_leases               -      x       x       -
fail_task                   -      x       x       -
fail_tasks                  -      x       x       -
get_run_statuses            x      -       x       -
get_run_with_states         x      x       x       -
get_runs_with_states        x      -       x       -
get_workers                 -      -       x       -
heartbeat_worker            -      x       x       -
is_valid_slug               -      -       x       -
maybe_complete_run          -      -       x       -
new_run_id                  -      -       -       -
oldest_code                 x      x       x       -
poll_for_tasks              -      x       x       -
raise_exception             -      -       x       -
register_worker             -      x       x       -
release_tasks               -      x       x       -
sleep_on_queues             -      x       x       -
spawn_fanout_tasks          -      -       -       -
start_flow                  x      -       x       -
start_flow_with_states      x      -       x       -
start_flows                 x      -       x       -
start_ready_steps           -      -       x       -
start_tasks                 -      x       x       -
stop_worker                 -      x       x       -
watch_run                   x      -       x       -
watch_runs                  x      -       x       -
"""
TABLES = """
                          client worker migrator public
alembic_version             r      r       r       -
deps                        -      -       r       -
flows                       -      -       r       -
runs                        -      -       r       -
sleeping_workers            -      -       r       -
step_states                 -      -       r       -
step_tasks                  -      -       r       -
steps                       -      -       r       -
task_items                  -      -       r       -
workers                     -      -       r       -
"""
SCHEMAS = """
                          client worker migrator public
pgflow                      x      x       x       -
pgmq                        -      -       -       -
realtime                    -      -       -       -
"""

WRITING = "insert, update, delete, truncate, references, trigger"


def table(text: str) -> dict[tuple[str, str], str]:
    """The marks of a table by object and role."""
    header, *lines = (line.split() for line in text.strip().splitlines())
    assert tuple(header) == ROLES
    return {(name, role): mark for name, *marks in lines for role, mark in zip(header, marks, strict=True)}


def role_name(role: str) -> str:
    return role if role == "public" else f"pgflow_{role}"


def functions(engine: Engine) -> list[Row]:
    return engine.rows(
        "select oid, proname as name, oid::regprocedure::text as signature from pg_proc "
        "where pronamespace = 'pgflow'::regnamespace order by proname collate \"C\""
    )


def test_each_role_may_call_what_the_table_says(engine: Engine) -> None:
    # What begins with an underscore is the engine's own, and nobody's to call.
    expected = table(FUNCTIONS)
    found = {
        (function["name"], role): engine.value(
            "select has_function_privilege(%s, %s::oid, 'execute')", role_name(role), function["oid"]
        )
        for function in functions(engine)
        for role in ROLES
    }
    assert {key for key in found if not key[0].startswith("_")} == expected.keys()
    assert {key for key, may in found.items() if may} == {key for key, mark in expected.items() if mark == "x"}


def test_each_role_may_read_what_the_table_says_and_write_nothing(engine: Engine) -> None:
    relations = engine.rows(
        "select oid, relname as name from pg_class "
        "where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')"
    )
    marks = {}
    for relation in relations:
        for role in ROLES:
            name, oid = role_name(role), relation["oid"]
            assert not engine.value(f"select has_table_privilege(%s, %s::oid, '{WRITING}')", name, oid)
            assert not engine.value("select has_any_column_privilege(%s, %s::oid, 'insert, update')", name, oid)
            may_read = engine.value("select has_any_column_privilege(%s, %s::oid, 'select')", name, oid)
            marks[relation["name"], role] = "r" if may_read else "-"
    assert marks == table(TABLES)


def test_each_role_may_use_the_schemas_that_the_table_says_and_create_nothing(engine: Engine) -> None:
    marks = {}
    for schema, role in table(SCHEMAS):
        assert not engine.value("select has_schema_privilege(%s, %s, 'create')", role_name(role), schema)
        may_use = engine.value("select has_schema_privilege(%s, %s, 'usage')", role_name(role), schema)
        marks[schema, role] = "x" if may_use else "-"
    assert marks == table(SCHEMAS)


def test_a_new_flow_s_queue_is_nobody_s(engine: Engine) -> None:
    engine.define({"a": []}, flow="Queue-Of-One")
    for role in ROLES:
        for prefix in "qa":
            name = f'pgmq."{prefix}_queue-of-one"'
            assert not engine.value(f"select has_table_privilege(%s, %s, 'select, {WRITING}')", role_name(role), name)


def test_no_role_has_more_than_its_name_says(engine: Engine) -> None:
    roles = engine.rows("select * from pg_roles where rolname in ('pgflow_client', 'pgflow_worker', 'pgflow_migrator')")
    assert len(roles) == 3
    for role in roles:
        powers = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls")
        assert not any(role[power] for power in powers), role["rolname"]
        assert engine.rows("select from pg_auth_members where member = %s", role["oid"]) == []
    assert engine.rows("select from pg_default_acl where defaclnamespace = 'pgflow'::regnamespace") == []


FORBIDDEN = [key for key, mark in table(FUNCTIONS).items() if mark == "-" and key[1] != "public"]


@pytest.mark.parametrize(("name", "role"), FORBIDDEN)
def test_who_calls_what_is_not_theirs_is_refused_before_it_runs(engine: Engine, name: str, role: str) -> None:
    (signature,) = (each["signature"] for each in functions(engine) if each["name"] == name)
    types = signature[signature.index("(") + 1 : -1]
    arguments = ", ".join(f"null::{each}" for each in types.split(",") if each)
    engine.become(role_name(role))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"function {name}"), engine.connection.transaction():
        engine.do(f"select pgflow.{name}({arguments})")
    engine.become_oneself()


@pytest.mark.parametrize("role", ["client", "worker", "migrator"])
@pytest.mark.parametrize(
    "statement",
    [
        "insert into pgflow.flows (flow_slug) values ('theirs')",
        "update pgflow.runs set output = '{}'",
        "delete from pgflow.step_tasks",
        "truncate pgflow.runs",
        "alter table pgflow.runs disable trigger all",
        "drop function pgflow.start_flow",
        "create or replace function pgflow.is_valid_slug(slug text) returns boolean language sql as 'select true'",
        "create table pgflow.mine (id int)",
        "create function pgflow.mine() returns int language sql as 'select 1'",
        "create type pgflow.mine as (a int)",
        "create view pgflow.mine as select 1",
        "create trigger mine before insert on pgflow.runs execute function suppress_redundant_updates_trigger()",
        "create policy mine on pgflow.runs using (true)",
        "comment on function realtime.send is null",
        "select pgmq.send('flow', '{}')",
        "select realtime.send('{}', 'run:completed', 'pgflow:run:x')",
        "set role postgres",
        "grant pgflow_migrator to pgflow_client",
        "alter role pgflow_client superuser",
        "set session_replication_role = replica",
    ],
)
def test_no_role_gets_around_the_functions(engine: Engine, role: str, statement: str) -> None:
    engine.define({"a": []})
    # A member, as a login would be: a superuser that has set a role may set any other.
    login = f"login_{uuid4().hex[:8]}"
    engine.do(f"create role {login} in role {role_name(role)}")
    engine.do(f"set local session authorization {login}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), engine.connection.transaction():
        engine.do(statement)
    engine.do("reset session authorization")


def test_a_monitoring_role_reads_and_does_nothing_else(engine: Engine) -> None:
    watcher = f"watcher_{uuid4().hex[:8]}"
    engine.do(f"create role {watcher}")
    engine.do(f"grant usage on schema pgflow to {watcher}")
    engine.do(f"grant select on all tables in schema pgflow to {watcher}")
    engine.do(f"grant execute on function pgflow.get_workers to {watcher}")
    engine.define({"a": []})
    run = engine.start()
    engine.become(watcher)
    assert engine.run(run)["status"] == "started"
    assert engine.rows("select * from pgflow.get_workers()") == []
    for statement in (
        "select pgflow.start_flow('flow', '1')",
        "select pgflow.claim_tasks('{flow}', 1, 30)",
        "select pgflow.delete_flow('flow')",
        "update pgflow.runs set status = 'failed'",
        "select pgflow._fail_run(null, null, null)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), engine.connection.transaction():
            engine.do(statement)
    engine.become_oneself()

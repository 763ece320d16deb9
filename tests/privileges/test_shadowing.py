"""Nobody acts as somebody else by shadowing a function, an operator, a type or a table of the engine or our clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from pgflow import Flow, FlowClient, Worker
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout
from tests.plugins.waiting import DEADLINE

TYPES = (
    "bool", "bytea", "int2", "int4", "int8", "float8", "numeric", "text", "name", "oid", "uuid", "jsonb", "json",
    "timestamptz", "interval", "regclass", "regtype", "regproc", "regprocedure", "regnamespace",
)  # fmt: skip
CATALOGS = ("pg_proc", "pg_class", "pg_roles", "pg_description", "pg_namespace", "pg_settings", "pg_extension")

#: What anybody could put beside a schema's own: a trace of whoever runs it, which they cannot but leave.
TRACE = """
    create table {schema}.trace (who name, what text);
    grant all on {schema}.trace to public;
    create function {schema}.note(what text) returns boolean language plpgsql volatile as
      $$begin insert into {schema}.trace values (current_user, what); return true; end$$;
"""


def domains(schema: str) -> str:
    """Types of the names of the system's, which run code when a value becomes one."""
    return "".join(
        f"create domain {schema}.{each} as pg_catalog.{each} check ({schema}.note('type {each}'));" for each in TYPES
    )


def tables(schema: str, engine: Engine) -> str:
    """Tables of the names of the engine's and of the system's."""
    ours = [row["relname"] for row in engine.rows(
        "select relname from pg_class where relnamespace = 'pgflow'::regnamespace and relkind = 'r'")]  # fmt: skip
    return "".join(
        f"create table {schema}.{each} (x boolean default {schema}.note('table {each}'));"
        for each in (*ours, *CATALOGS)
    )


def functions(schema: str, engine: Engine) -> str:
    """Functions and operators of the names of all that the engine and our statements call, for its own types.

    One that takes just the type that it is given wins over one of the system's that takes any.
    """
    bodies = engine.value(
        "select string_agg(prosrc, ' ') from pg_proc "
        "where pronamespace in ('pgflow'::regnamespace, 'pgmq'::regnamespace)"
    )
    plain = engine.rows(
        """select p.proname as name, pg_get_function_identity_arguments(p.oid) as arguments,
                  p.prorettype::regtype::text as result
           from pg_proc as p
           where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
             and p.provariadic = 0 and %s ~ ('\\m' || p.proname || '\\s*[(]')
             and not exists (
               select from pg_type as t where t.oid = any(p.proargtypes::oid[] || p.prorettype) and t.typtype = 'p'
             )""",
        bodies,
    )
    made = [
        f'create function {schema}."{row["name"]}"({row["arguments"]}) returns {row["result"]} language plpgsql as '
        f"$$begin perform {schema}.note('function {row['name']}'); return null; end$$;"
        for row in plain
    ]
    assert len(made) > 40
    exact = [
        *(("to_json", each, "json") for each in ("pgflow.runs", "pgflow.step_states[]", "record")),
        *(("count", each, "bigint") for each in ("uuid", "text")),
        *(("array_agg", each, "text[]") for each in ("text",)),
        *(("cardinality", each, "integer") for each in ("text[]", "uuid[]", "jsonb[]", "bigint[]", "integer[]")),
        ("unnest", "text[]", "text"), ("unnest", "uuid[]", "uuid"), ("unnest", "bigint[]", "bigint"),
        ("array_fill", "uuid, integer[]", "uuid[]"), ("format", "text, text", "text"),
        ("jsonb_build_object", "text, text", "jsonb"), ("jsonb_build_object", "text, jsonb", "jsonb"),
    ]  # fmt: skip
    made += [
        f"create function {schema}.{name}({argument}) returns {result} language plpgsql as "
        f"$$begin perform {schema}.note('function {name}'); return null; end$$;"
        for name, argument, result in exact
        if argument != "record"
    ]
    operators = (
        ("=", "text", "text"), ("<>", "text", "text"), ("=", "uuid", "uuid"), ("<>", "text[]", "text[]"),
        ("=", "bigint", "bigint"), ("||", "text", "text"), ("||", "text[]", "text[]"), ("||", "text", "uuid"),
        ("<>", "jsonb", "jsonb"), ("=", "uuid", "uuid[]"), ("=", "text[]", "text"), ("<>", "integer", "bigint"),
    )  # fmt: skip
    for number, (operator, left, right) in enumerate(operators):
        name = f"operator_{number}"
        made.append(
            f"create function {schema}.{name}({left}, {right}) returns boolean language plpgsql as "
            f"$$begin perform {schema}.note('operator {operator}'); return null; end$$;"
            f"create operator {schema}.{operator} (function = {schema}.{name}, leftarg = {left}, rightarg = {right});"
        )
    return "".join(made)


def everything(engine: Engine, calls: list[str]) -> None:
    """Call what the role may call, once with nothing and then in the order of a run."""
    for call in calls:
        try:
            with engine.connection.transaction():
                engine.do(call)
        except psycopg.Error as refusal:
            assert (refusal.sqlstate or "").startswith(("PF", "23", "22", "P0002")), f"{call}: {refusal}"  # noqa: PT017


RUN = "01930000-0000-7000-8000-000000000001"
WORKER = "01930000-0000-7000-8000-00000000000f"

CLIENT_CALLS = [
    f"select pgflow.start_flow('flow', '[1, 2]', '{RUN}', 'key')",
    f"select pgflow.start_flow('flow', '[1, 2]', '{RUN}', 'key')",
    f"select pgflow.start_flow('flow', '[1]', '{RUN}', 'key')",
    "select pgflow.start_flow_with_states('flow', '1')",
    "select pgflow.start_flows('flow', '{1,2}')",
    f"select pgflow.watch_run('{RUN}')",
    f"select pgflow.watch_runs('{{{RUN}}}')",
    f"select pgflow.get_run_statuses('{{{RUN}}}')",
    f"select pgflow.get_run_with_states('{RUN}')",
    f"select pgflow.get_runs_with_states('{{{RUN}}}')",
]
WORKER_CALLS = [
    f"select pgflow.register_worker('{WORKER}', 'flow', 'main')",
    f"select pgflow.heartbeat_worker('{WORKER}')",
    f"select pgflow.sleep_on_queues('{WORKER}', '{{flow}}', 1)",
    'select pgflow.check_flow(\'{"flow_slug": "flow", "steps": []}\')',
    f"select pgflow.claim_run_tasks('{RUN}', 0)",
    f"select pgflow.extend_leases('{{{RUN}}}', '{{a}}', '{{0}}', '{{1}}', 60)",
    f"select pgflow.release_tasks('{{{RUN}}}', '{{a}}', '{{0}}', '{{1}}')",
    f"select pgflow.claim_tasks('{{flow}}', 9, 0, '{WORKER}')",
    f"select pgflow.complete_task('{RUN}', 'a', 0, '[1, 2, 3]')",
    "select pgflow.poll_for_tasks('flow', 0, 9, 0)",
    f"select pgflow.fail_task('{RUN}', 'b', 0, 'x')",
    f"select pgflow.fail_tasks('{{{RUN}}}', '{{b}}', '{{1}}', '{{x}}', null, null, null, null)",
    "select pgflow.start_tasks('flow', '{1,2,3,4,5,6}', null)",
    f"select pgflow.complete_tasks('{{{RUN},{RUN}}}', '{{b,b}}', '{{0,1}}', '{{1,2}}', '{{null,null}}')",
    f"select pgflow.stop_worker('{WORKER}')",
]
MIGRATOR_CALLS = [
    "select pgflow.create_flow('another')",
    "select pgflow.add_step('another', 'one')",
    'select pgflow.ensure_flow(\'{"flow_slug": "third", "max_attempts": 3, "base_delay": 1, "timeout": 60, '
    '"steps": [{"step_slug": "a", "step_type": "single", "deps": []}]}\')',
    f"select pgflow.start_ready_steps('{RUN}')",
    f"select pgflow.maybe_complete_run('{RUN}')",
    "select pgflow.check_invariants()",
    "select pgflow.get_workers()",
    "select pgflow.oldest_code()",
    "select pgflow.calculate_retry_delay(1, 1)",
    "select pgflow.is_valid_slug('x')",
    "select pgflow.delete_flow('another')",
]


@pytest.fixture
def attacker(engine: Engine) -> str:
    """A role that may call whatever any role may, and create schemas of its own."""
    role = f"attacker_{uuid4().hex[:8]}"
    engine.do(f"create role {role} in role pgflow_client, pgflow_worker, pgflow_migrator")
    engine.do(f'grant create, temporary on database "{engine.value("select current_database()")}" to {role}')
    return role


@pytest.mark.parametrize("where", ["pg_temp", "a schema first in the path"])
def test_no_function_runs_what_its_caller_has_shadowed(engine: Engine, attacker: str, where: str) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    schema = "pg_temp" if where == "pg_temp" else "evil"
    engine.become(attacker)
    if schema == "evil":
        engine.do("create schema evil")
    laid = TRACE.format(schema=schema) + tables(schema, engine) + functions(schema, engine) + domains(schema)
    # Types last: what comes before is made of the true ones.
    engine.do(laid.replace("%", "%%"))
    engine.do(f"set local search_path = {schema}, pg_catalog, public")

    everything(engine, [*CLIENT_CALLS, *WORKER_CALLS, *MIGRATOR_CALLS])

    engine.do("set local search_path = pg_catalog")
    ran = engine.rows(f"select who, what from {schema}.trace")
    engine.become_oneself()
    # As itself, in the conversion of what it passes, it may run what it likes.
    assert [row for row in ran if row["who"] != attacker] == []
    engine.do(f"drop owned by {attacker}" if schema == "evil" else "discard temp")


def test_the_calls_are_all_that_anybody_may_call(engine: Engine) -> None:
    callable_by_a_role = engine.rows(
        """select proname from pg_proc, unnest(array['pgflow_client', 'pgflow_worker', 'pgflow_migrator']) as role
           where pronamespace = 'pgflow'::regnamespace and has_function_privilege(role, oid, 'execute')
             and prosecdef group by proname"""
    )
    called = "".join([*CLIENT_CALLS, *WORKER_CALLS, *MIGRATOR_CALLS])
    assert {row["proname"] for row in callable_by_a_role if f"pgflow.{row['proname']}(" not in called} == set()


def test_the_traps_work(engine: Engine, attacker: str) -> None:
    # Had a function no search_path of its own, its caller's types would be taken for the system's.
    engine.do("""
        set local check_function_bodies = off;
        create function pgflow.careless(value jsonb) returns jsonb language plpgsql security definer as
          'declare v jsonb := value; begin return to_json(v); end';
        grant execute on function pgflow.careless to public;
    """)
    owner = engine.value("select current_user")
    engine.become(attacker)
    engine.do("create schema evil")
    engine.do((TRACE.format(schema="evil") + domains("evil")).replace("%", "%%"))
    engine.do("set local search_path = evil, pg_catalog")
    engine.do("select pgflow.careless('1'::pg_catalog.jsonb)")
    engine.do("set local search_path = pg_catalog")
    ran = engine.rows("select distinct who, what from evil.trace")
    engine.become_oneself()
    assert {"who": owner, "what": "type jsonb"} in ran
    engine.do("drop function pgflow.careless")
    engine.do(f"drop owned by {attacker}")


def test_our_sessions_run_nothing_that_others_have_put_into_their_path(
    dsn: str, committed: Engine, connect: Callable[..., Connection]
) -> None:
    # A schema public that anybody may create in, as databases have it that were made before PostgreSQL 15.
    role = f"attacker_{uuid4().hex[:8]}"
    committed.do(f"create role {role} in role pgflow_client")
    committed.do("grant create on schema public to public")
    evil = Engine(connect())
    laid = TRACE.format(schema="public") + functions("public", evil)
    evil.do(f"set role {role}")
    evil.do(laid.replace("%", "%%"))
    flow: Flow[Any] = Flow("guarded", base_delay=0)

    @flow.step
    def numbers(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[numbers], fanout=True)
    def double(item: int) -> int:
        return item * 2

    try:
        with Worker(flow, dsn), FlowClient(dsn) as client:
            run = client.start(flow, 3)
            assert run.result(DEADLINE) == {"double": [0, 2, 4]}
            assert [each.result(DEADLINE) for each in client.start_many(flow, [1, 2])] == [
                {"double": [0]}, {"double": [0, 2]},
            ]  # fmt: skip
            assert client.get_run(run.run_id).status == "completed"
        assert committed.rows("select who, what from public.trace") == []
    finally:
        committed.do(f"drop owned by {role}")
        committed.do(f"drop role {role}")

"""Who may do what: PUBLIC nothing, each role its own functions, and nobody the tables but to read them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import psycopg
import pytest
from psycopg import sql

from pgflow import migrations
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine

VERSIONS = migrations.script_location() / "versions"
REVISIONS = migrations.revisions()
# Where a revision adds something to grant; one that only changes what is there has none.
GRANTS = sorted(VERSIONS.glob("*/grants.sql"))

ROLES = ("pgflow_client", "pgflow_worker", "pgflow_migrator")
CLIENT = {
    "start_flow", "start_flows", "start_flow_with_states", "get_run_with_states", "get_runs_with_states",
    "get_run_statuses", "watch_run", "watch_runs", "oldest_code",
}  # fmt: skip
WORKER = {
    "check_flow", "poll_for_tasks", "claim_tasks", "claim_run_tasks", "start_tasks", "complete_task", "complete_tasks",
    "fail_task", "fail_tasks", "extend_leases", "release_tasks", "sleep_on_queues", "register_worker",
    "heartbeat_worker", "stop_worker", "get_run_with_states", "oldest_code",
}  # fmt: skip
MIGRATOR = CLIENT | WORKER | {
    "create_flow", "add_step", "ensure_flow", "delete_flow", "is_valid_slug", "start_ready_steps",
    "maybe_complete_run", "check_invariants", "calculate_retry_delay", "raise_exception", "get_workers",
}  # fmt: skip

Acting: TypeAlias = Callable[[str], AbstractContextManager[Engine]]


@pytest.fixture
def acting_as(connection: Connection) -> Acting:
    """Acts in one of the roles; the roles' own transaction is rolled back like everything else."""

    @contextmanager
    def acting_as(role: str) -> Iterator[Engine]:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        yield Engine(connection)
        connection.execute("reset role")

    return acting_as


def executable(engine: Engine, role: str) -> set[str]:
    """The functions of the schema that a role may call."""
    rows = engine.rows(
        "select proname from pg_proc where pronamespace = 'pgflow'::regnamespace "
        "and has_function_privilege(%s, oid, 'execute')",
        role,
    )
    return {row["proname"] for row in rows}


@pytest.mark.parametrize(("role", "functions"), list(zip(ROLES, (CLIENT, WORKER, MIGRATOR), strict=True)))
def test_a_role_may_call_its_functions_and_no_others(connection: Connection, role: str, functions: set[str]) -> None:
    assert executable(Engine(connection), role) == functions


@pytest.mark.parametrize("role", ROLES)
def test_tables_are_read_by_the_migrator_and_written_by_nobody(connection: Connection, role: str) -> None:
    engine = Engine(connection)
    privileges = engine.rows(
        """
        select relname, has_table_privilege(%s, oid, 'select') as reads,
               has_table_privilege(%s, oid, 'insert, update, delete, truncate, references, trigger') as writes
          from pg_class where relnamespace = 'pgflow'::regnamespace and relkind = 'r'
        """,
        role,
        role,
    )
    assert not any(row["writes"] for row in privileges)
    read = {row["relname"] for row in privileges if row["reads"]}
    everything = {row["relname"] for row in privileges}
    assert read == (everything if role == "pgflow_migrator" else {"alembic_version"})


@pytest.mark.parametrize("ladder", [REVISIONS, [*REVISIONS, *REVISIONS[-2::-1]]], ids=["up", "up and down"])
def test_public_gets_nothing_at_any_revision(blank_dsn: str, ladder: list[str]) -> None:
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        engine = Engine(connection)
        for before, revision in itertools.pairwise(["base", *ladder]):
            step = migrations.upgrade if before == "base" or before < revision else migrations.downgrade
            step(blank_dsn, revision)
            assert executable(engine, "public") == set()
            assert not engine.value("select has_schema_privilege('public', 'pgflow', 'usage, create')")
            assert (
                engine.rows(
                    """
                select relname from pg_class where relnamespace = 'pgflow'::regnamespace and relkind = 'r'
                   and has_table_privilege('public', oid, 'select, insert, update, delete, truncate')
                """
                )
                == []
            )


def test_public_cannot_send_by_our_realtime(connection: Connection) -> None:
    engine = Engine(connection)
    assert not engine.value("select has_function_privilege('public', 'realtime.send'::regproc, 'execute')")
    assert not engine.value("select has_schema_privilege('public', 'realtime', 'usage, create')")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_ask_which_schema_it_meets(acting_as: Acting, role: str) -> None:
    with acting_as(role) as engine:
        migrations.check(engine.connection)


def test_three_roles_carry_a_run_from_definition_to_result(acting_as: Acting) -> None:
    with acting_as("pgflow_migrator") as migrator:
        migrator.define({"a": [], "b": ["a"]})
    with acting_as("pgflow_client") as client:
        (started,) = client.rows("select (run).* from pgflow.start_flow_with_states('flow', '1')")
        run = started["run_id"]
    with acting_as("pgflow_worker") as worker:
        worker.call("register_worker", p_worker_id=run, p_queue_name="flow", p_function_name="test")
        while tasks := worker.poll():
            worker.complete_tasks((task, task.input) for task in tasks)
        worker.call("stop_worker", p_worker_id=run)
    with acting_as("pgflow_client") as client:
        (watched,) = client.rows("select (run).* from pgflow.watch_run(%s)", run)
        assert watched["status"] == "completed"
    with acting_as("pgflow_migrator") as migrator:
        assert migrator.run(run)["status"] == "completed"
        assert migrator.violations() == set()


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("pgflow_client", "select pgflow.claim_tasks('{flow}', 1, 30)"),
        ("pgflow_client", "select pgflow.create_flow('theirs')"),
        ("pgflow_client", "select * from pgflow.runs"),
        ("pgflow_worker", "select pgflow.start_flow('flow', '1')"),
        ("pgflow_worker", "select pgflow.delete_flow('flow')"),
        ("pgflow_worker", "update pgflow.step_tasks set status = 'completed'"),
        ("pgflow_worker", "select * from pgmq.q_flow"),
        ("pgflow_client", "select * from pgflow.get_workers()"),
        ("pgflow_worker", "select * from pgflow.get_workers()"),
        ("pgflow_migrator", "delete from pgflow.runs"),
        ("pgflow_migrator", "select pgflow.spawn_fanout_tasks(null, null)"),
        ("pgflow_migrator", "select pgflow._fail_run(null, null, null)"),
        ("pgflow_migrator", "select realtime.send('{}', 'run:completed', 'pgflow:run:x')"),
    ],
)
def test_what_is_not_granted_is_refused(connection: Connection, acting_as: Acting, role: str, statement: str) -> None:
    Engine(connection).define({"only": []})
    with acting_as(role) as engine, pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        engine.do(statement)


@pytest.fixture
def commoner(blank_dsn: str) -> Iterator[Connection]:
    """A session of someone who owns nothing but a database, and may not create roles."""
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        name = sql.Identifier(f"{connection.info.dbname}_owner")
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("create role {}").format(name))
        connection.execute(sql.SQL("alter database {} owner to {}").format(database, name))
        connection.execute(sql.SQL("set role {}").format(name))
        yield connection
        connection.execute("reset role")
        connection.execute(sql.SQL("reassign owned by {} to current_user").format(name))
        connection.execute(sql.SQL("drop owned by {}").format(name))
        connection.execute(sql.SQL("drop role {}").format(name))


def test_who_may_not_create_roles_migrates_and_works_all_the_same(commoner: Connection) -> None:
    notices: list[str | None] = []
    commoner.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    migrations.upgrade(commoner)
    for path in GRANTS:
        # The same grants, on a server that has no roles of these names.
        grants = path.read_text(encoding="utf-8")
        commoner.execute(grants.replace("pgflow_", "missing_").encode())
    for role in ("missing_client", "missing_worker", "missing_migrator"):
        assert f"pgflow: role {role} does not exist and could not be created" in notices
        assert f"pgflow: role {role} does not exist and is granted nothing" in notices

    engine = Engine(commoner)
    engine.define({"only": []})
    run = engine.start()
    engine.work()
    assert engine.run(run)["status"] == "completed"
    migrations.downgrade(commoner, "base")


def test_grants_may_be_run_again_for_roles_that_came_later(connection: Connection) -> None:
    engine = Engine(connection)
    connection.execute("revoke execute on all functions in schema pgflow from pgflow_client, pgflow_worker")
    connection.execute("revoke usage on schema pgflow from pgflow_client, pgflow_worker")
    for path in GRANTS:
        connection.execute(path.read_bytes())
    assert executable(engine, "pgflow_client") == CLIENT
    assert executable(engine, "pgflow_worker") == WORKER
    assert engine.value("select has_schema_privilege('pgflow_client', 'pgflow', 'usage')")

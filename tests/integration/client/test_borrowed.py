"""Starting a run in the caller's own transaction: it exists if, and only if, that commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db.utils import ConnectionHandler
from psycopg.adapt import Loader
from psycopg.rows import dict_row
from sqlalchemy import Engine as Alchemy
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pgflow.client import FlowClient
from pgflow.engine.borrowed import borrow
from pgflow.engine.borrowing import BorrowedConnector
from pgflow.errors import RunConflictError, RunNotCommittedError, UnknownFlowError, UnknownRunError
from pgflow.events import RunCompleted
from pgflow.models import Completion, RunStatus
from tests.plugins import django_project
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.waiting import DEADLINE


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})


@pytest.fixture
def alchemy(dsn: str) -> Iterator[Alchemy]:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
    yield engine
    engine.dispose()


def runs(engine: Engine) -> int:
    return len(engine.rows("select from pgflow.runs"))


def test_a_run_on_a_psycopg_connection_is_part_of_its_transaction(
    client: FlowClient, engine: Engine, connect: Callable[..., Connection]
) -> None:
    connection = connect(autocommit=False)
    client.start("flow", connection=connection)
    connection.rollback()
    assert runs(engine) == 0

    client.start("flow", connection=connection)
    assert runs(engine) == 0
    connection.commit()
    assert runs(engine) == 1


def test_a_run_on_an_autocommit_connection_is_there_at_once(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow", connection=engine.connection)
    engine.work()

    assert run.wait(DEADLINE).status is RunStatus.COMPLETED


class TextLoader(Loader):
    """Like the one that Django registers: jsonb stays text."""

    def load(self, data: Any) -> str:
        return bytes(data).decode()


def test_what_a_connection_does_with_rows_and_json_does_not_matter(client: FlowClient, dsn: str) -> None:
    with psycopg.connect(dsn, row_factory=dict_row, cursor_factory=psycopg.ClientCursor) as connection:
        connection.adapters.register_loader("jsonb", TextLoader)
        connection.adapters.register_loader("json", TextLoader)

        assert client.start("flow", {"x": [1]}, connection=connection).input == {"x": [1]}
        assert [run.input for run in client.start_many("flow", ["1", 1], connection=connection)] == ["1", 1]


def test_a_run_on_a_sqlalchemy_connection_is_part_of_its_transaction(
    client: FlowClient, engine: Engine, alchemy: Alchemy
) -> None:
    with alchemy.connect() as connection:
        client.start("flow", connection=connection)
        assert connection.in_transaction()
        connection.rollback()
        assert runs(engine) == 0

        client.start("flow", connection=connection)
        assert runs(engine) == 0
        connection.commit()
        assert runs(engine) == 1


@pytest.mark.parametrize("kind", ["session", "scoped"])
def test_a_run_in_a_session_is_part_of_its_transaction(
    client: FlowClient, engine: Engine, alchemy: Alchemy, kind: str
) -> None:
    with Session(alchemy) as session:
        given = session if kind == "session" else scoped_session(sessionmaker(alchemy))
        client.start("flow", connection=given)
        given.rollback()
        assert runs(engine) == 0

        client.start("flow", 1, connection=given)
        given.execute(text("select 1"))
        assert runs(engine) == 0
        given.commit()
        assert runs(engine) == 1
        given.close()


def test_a_run_on_django_s_connection_is_part_of_its_transaction(client: FlowClient, engine: Engine) -> None:
    django_project.set_up()
    info = engine.connection.info
    where = {
        "NAME": info.dbname,
        "HOST": info.host,
        "PORT": str(info.port),
        "USER": info.user,
        "PASSWORD": info.password,
    }
    connection = ConnectionHandler({"default": {"ENGINE": "django.db.backends.postgresql", **where}})["default"]
    connection.set_autocommit(False)
    client.start("flow", {"x": 1}, connection=connection)
    connection.rollback()
    assert runs(engine) == 0

    run = client.start("flow", {"x": 1}, connection=connection)
    assert (run.input, runs(engine)) == ({"x": 1}, 0)
    with pytest.raises(RunNotCommittedError):
        run.wait(DEADLINE)
    with pytest.raises(UnknownFlowError):
        client.start("nowhere", connection=connection)
    connection.rollback()
    client.start("flow", connection=connection)
    connection.commit()
    assert runs(engine) == 1

    with BorrowedConnector(connection).task_transaction(None).connection.cursor() as cursor:
        assert cursor.execute("select 1").fetchone() == (1,)
    connection.rollback()
    connection.close()


def test_many_are_started_in_the_caller_s_transaction(client: FlowClient, engine: Engine, alchemy: Alchemy) -> None:
    with alchemy.begin() as connection:
        started = client.start_many("flow", range(2500), connection=connection)
        assert [run.input for run in started] == list(range(2500))
        assert runs(engine) == 0

    assert runs(engine) == 2500


def test_waiting_for_a_run_whose_transaction_is_open_fails_at_once(
    client: FlowClient, engine: Engine, connect: Callable[..., Connection]
) -> None:
    connection = connect(autocommit=False)
    run = client.start("flow", connection=connection)
    calls: list[Callable[[], object]] = [
        run.wait,
        run.result,
        run.refresh,
        lambda: next(run.events()),
        lambda: run.on(RunCompleted, print),
        lambda: run.steps,
        lambda: run.step("a"),
    ]
    for call in calls:
        with pytest.raises(RunNotCommittedError, match=f"{run.run_id}.*commit first"):
            call()

    connection.commit()
    engine.work({"b": 7})
    assert run.result(DEADLINE) == {"b": 7}


def test_a_run_is_not_taken_for_open_because_another_transaction_is(
    client: FlowClient, engine: Engine, alchemy: Alchemy
) -> None:
    with alchemy.connect() as connection:
        run = client.start("flow", connection=connection)
        connection.commit()
        connection.execute(text("select 1"))
        assert connection.in_transaction()
        engine.work({"b": 7})

        assert run.result(DEADLINE) == {"b": 7}


@pytest.mark.parametrize("library", ["psycopg", "sqlalchemy"])
def test_a_run_whose_transaction_was_rolled_back_is_unknown(
    client: FlowClient, alchemy: Alchemy, connect: Callable[..., Connection], library: str
) -> None:
    connection: Any = connect(autocommit=False) if library == "psycopg" else alchemy.connect()
    run = client.start("flow", connection=connection)
    connection.rollback()

    with pytest.raises(UnknownRunError, match="rolled back"):
        run.wait(DEADLINE)
    connection.close()


def test_errors_come_as_ours_through_every_library(
    client: FlowClient, alchemy: Alchemy, connect: Callable[..., Connection]
) -> None:
    client.start("flow", 1, idempotency_key="k")
    for connection in (connect(autocommit=False), alchemy.connect(), Session(alchemy)):
        with pytest.raises(UnknownFlowError):
            client.start("nowhere", connection=connection)
        connection.rollback()
        with pytest.raises(RunConflictError):
            client.start("flow", 2, idempotency_key="k", connection=connection)
        connection.close()


@pytest.mark.parametrize("connection", ["a string", 7, object()], ids=["text", "number", "object"])
def test_what_is_no_connection_is_refused(client: FlowClient, connection: Any) -> None:
    with pytest.raises(TypeError, match="connection= takes"):
        client.start("flow", connection=connection)


def test_everything_can_happen_on_one_connection_that_is_rolled_back(connection: Connection) -> None:
    Engine(connection).define({"a": [], "b": ["a"]})
    connector = BorrowedConnector(connection)
    client = FlowClient(connector=connector)
    run = client.start("flow", 1)
    while tasks := connector.claim_run_tasks(run.run_id, lease=30):
        assert connector.complete_tasks([Completion(task.key, task.step_slug) for task in tasks]) == []

    assert run.refresh().result(0) == {"b": "b"}
    assert len(list(run.events(0))) == 6
    with pytest.raises(RunNotCommittedError):
        client.start("flow", 2).wait()


def test_the_connection_of_a_pool_is_a_connection(client: FlowClient, engine: Engine, dsn: str) -> None:
    from psycopg_pool import ConnectionPool

    with ConnectionPool(dsn, min_size=1, open=True) as pool, pool.connection() as connection:
        client.start("flow", connection=connection)
        assert runs(engine) == 0
    assert runs(engine) == 1


def test_a_broken_transaction_is_the_caller_s_own_error(client: FlowClient, connect: Callable[..., Connection]) -> None:
    connection = connect(autocommit=False)
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        client.start("flow", connection=connection)
    assert borrow(connection).in_transaction()

"""``run_flow``: one run to its end, in the calling thread, on one connection."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
import sqlalchemy
from attrs import frozen
from sqlalchemy.orm import Session

from pgflow.dsl import Flow
from pgflow.errors import NotJsonError, RunFailedError
from pgflow.models import RunStatus
from pgflow.testing import run_flow
from pgflow.worker import Context, FailPermanently, RetryAfter
from tests.plugins.databases import Connection


@frozen
class Order:
    lines: list[int]


flow = Flow("tested", input=Order, base_delay=3600)


@flow.step
def lines(run: Order) -> list[int]:
    return run.lines


@flow.step(depends_on=[lines], fanout=True, start_delay=3600)
def double(item: int, ctx: Context) -> int:
    if item == 13:
        raise FailPermanently("an unlucky number")
    if item == 7 and ctx.attempt == 1:
        raise RetryAfter(3600)
    if item == 8 and ctx.attempt < 3:
        raise ValueError("not yet")
    assert ctx.run_input.lines.count(item) == 1
    assert 0 < ctx.remaining() <= 300
    return 2 * item


@flow.step(depends_on=[double])
def total(double: list[int]) -> int:
    return sum(double)


def test_a_run_comes_to_its_end_without_waiting_for_delays(connection: Connection) -> None:
    run = run_flow(flow, Order([1, 7, 8]), connection=connection)

    assert run.status is RunStatus.COMPLETED
    assert run.output == {"total": 32}
    assert run.result() == {"total": 32}
    assert run.step(double).output == [2, 14, 16]
    assert run.input == Order([1, 7, 8])


def test_a_failed_run_is_returned_and_says_why(connection: Connection) -> None:
    run = run_flow(flow, Order([1, 13, 7]), connection=connection)

    assert run.status is RunStatus.FAILED
    assert run.error_message == "an unlucky number"
    with pytest.raises(RunFailedError, match="at step 'double': an unlucky number"):
        run.result()


def test_it_starts_no_thread_and_runs_handlers_in_the_calling_one(connection: Connection) -> None:
    where: list[Any] = []
    threaded = Flow("threads")

    @threaded.step
    def look(run: None) -> None:
        where.append(threading.current_thread())

    before = threading.active_count()
    run_flow(threaded, connection=connection)

    assert where == [threading.current_thread()]
    assert threading.active_count() == before


def test_it_leaves_an_open_transaction_open(connection: Connection) -> None:
    connection.execute("create table of_the_test (total int)")
    writing = Flow("writing")

    @writing.step
    def write(run: int) -> None:
        connection.execute("insert into of_the_test values (%s)", [run])

    run_flow(writing, 5, connection=connection)
    assert connection.execute("select total from of_the_test").fetchall() == [(5,)]

    connection.rollback()
    assert connection.execute("select to_regclass('of_the_test')").fetchone() == (None,)
    assert connection.execute("select count(*) from pgflow.flows where flow_slug = 'writing'").fetchone() == (0,)


def test_it_works_on_a_sqlalchemy_connection_and_session(shared_dsn: str) -> None:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(shared_dsn), poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as own, own.begin() as transaction:
        assert run_flow(flow, Order([1]), connection=own).output == {"total": 2}
        transaction.rollback()
    with Session(engine) as session:
        assert run_flow(flow, Order([2]), connection=session).output == {"total": 4}
        session.rollback()


def test_a_handler_s_transaction_is_part_of_the_caller_s_through_sqlalchemy(shared_dsn: str) -> None:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(shared_dsn), poolclass=sqlalchemy.NullPool
    )
    noting = Flow("noting")

    @noting.step
    def note(run: None, ctx: Context) -> int:
        ctx.connection.execute("insert into notes values (1)")
        ctx.session.execute(sqlalchemy.text("insert into notes values (2)"))
        return 2

    with Session(engine) as session:
        session.execute(sqlalchemy.text("create temporary table notes (id int)"))
        for own in (session, session.connection()):
            assert run_flow(noting, connection=own).output == {"note": 2}
        assert session.execute(sqlalchemy.text("select count(*) from notes")).scalar_one() == 4
        session.rollback()


def test_without_a_connection_it_commits_to_the_database_of_the_environment(
    dsn: str, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    run = run_flow(flow, Order([4]))

    assert run.output == {"total": 8}
    assert database.execute("select status from pgflow.runs").fetchall() == [("completed",)]


def test_an_input_that_does_not_fit_is_the_callers_error(connection: Connection) -> None:
    with pytest.raises(NotJsonError):
        run_flow(flow, {"lines": [1]}, connection=connection)


def test_what_pytest_raises_inside_a_handler_reaches_the_test(connection: Connection) -> None:
    failing = Flow("fails-the-test")

    @failing.step
    def give_up(run: None) -> None:
        pytest.fail("the handler says no")

    with pytest.raises(pytest.fail.Exception, match="the handler says no"):
        run_flow(failing, connection=connection)


def test_an_empty_fanout_ends_without_a_task(connection: Connection) -> None:
    assert run_flow(flow, Order([]), connection=connection).output == {"total": 0}

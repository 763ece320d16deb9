"""Handlers that write in the transaction in which their task completes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgflow import Context, FailPermanently, FlowClient, Worker
from pgflow.dsl import Flow
from pgflow.testing import run_flow
from tests.integration.worker.conftest import Runs, until_a_handler_runs
from tests.plugins.databases import Connection
from tests.plugins.waiting import until

INSERT = b"insert into public.ledger (entry) values (%s)"


class Base(DeclarativeBase):
    pass


class Entry(Base):
    __tablename__ = "ledger"
    __table_args__ = {"schema": "public"}  # noqa: RUF012  SQLAlchemy's own form

    id: Mapped[int] = mapped_column(primary_key=True)
    entry: Mapped[str]


@pytest.fixture(autouse=True)
def ledger(database: Connection) -> Iterator[Callable[[], list[str]]]:
    """The user's own table; called, it returns what is committed there."""
    database.execute("create table public.ledger (id int generated always as identity primary key, entry text)")
    yield lambda: [entry for (entry,) in database.execute("select entry from public.ledger order by id").fetchall()]
    database.execute("drop table if exists public.ledger")


def test_what_a_handler_writes_is_committed_with_its_result(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("together")
    seen: list[list[str]] = []

    @flow.step
    def write(run: str, ctx: Context) -> str:
        ctx.connection.execute(INSERT, [run])
        seen.append(ledger())
        return "written"

    @flow.step(depends_on=[write])
    def read(write: str) -> list[str]:
        return ledger()

    work(flow)
    run_id = runs.start(flow, "rent")

    assert runs.output(run_id) == {"read": ["rent"]}
    assert seen == [[]]
    assert runs.attempts(run_id, "write") == 1


def test_an_attempt_that_fails_leaves_nothing(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("undone", base_delay=0)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [f"attempt {ctx.attempt}"])
        if ctx.attempt < 3:
            raise ValueError("not yet")
        return ctx.attempt

    work(flow)

    assert runs.output(runs.start(flow)) == {"write": 3}
    assert ledger() == ["attempt 3"]


def test_a_result_that_cannot_be_stored_undoes_the_rest(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("no-json")

    @flow.step
    def write(run: None, ctx: Context) -> Any:
        ctx.connection.execute(INSERT, ["never"])
        return "\0"

    work(flow)
    run_id = runs.start(flow)

    assert "NotJsonError" in runs.error(run_id)
    assert runs.attempts(run_id, "write") == 1
    assert ledger() == []


def test_an_attempt_that_another_has_overtaken_leaves_nothing(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]], release: threading.Event
) -> None:
    flow = Flow("overtaken", base_delay=0)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [f"attempt {ctx.attempt}"])
        if ctx.attempt == 1:
            release.wait(30)
        return ctx.attempt

    slow = work(flow)
    run_id = runs.start(flow)
    until_a_handler_runs(slow)
    assert slow._crew is not None
    slow._crew.claimer.stop()
    runs.engine.do('update pgmq."q_overtaken" set vt = clock_timestamp()')
    work(flow)

    assert runs.output(run_id) == {"write": 2}
    release.set()
    until(lambda: slow._crew is not None and not slow._crew.inflight.running())
    assert ledger() == ["attempt 2"]


def test_an_attempt_that_its_own_worker_has_claimed_anew_is_run_again(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]], release: threading.Event
) -> None:
    flow = Flow("adopted", base_delay=0)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [f"attempt {ctx.attempt}"])
        if ctx.attempt == 1 and not release.is_set():
            release.wait(30)
        return ctx.attempt

    work(flow)
    run_id = runs.start(flow)
    until(lambda: runs.attempts(run_id, "write") == 1)
    runs.engine.do('update pgmq."q_adopted" set vt = clock_timestamp()')
    runs.engine.do("select pgflow._wake_workers('adopted')")
    until(lambda: runs.attempts(run_id, "write") == 2)
    release.set()

    assert runs.ended(run_id)["status"] == "completed"
    assert len(ledger()) == 1


def test_a_run_that_is_over_takes_nothing(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]], release: threading.Event
) -> None:
    flow = Flow("over-and-out", max_attempts=1)
    written = threading.Event()

    @flow.step
    def writes(run: None, ctx: Context) -> None:
        ctx.connection.execute(INSERT, ["in vain"])
        written.set()
        release.wait(30)

    @flow.step
    def fails(run: None) -> None:
        assert written.wait(10)
        raise FailPermanently("the other one")

    worker = work(flow)
    run_id = runs.start(flow)
    assert runs.error(run_id) == "the other one"
    release.set()

    until(lambda: worker._crew is not None and not worker._crew.inflight.running())
    assert ledger() == []


def test_a_timeout_ends_the_statement_and_undoes_the_rest(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("too-long", base_delay=0, timeout=1)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [f"attempt {ctx.attempt}"])
        if ctx.attempt == 1:
            ctx.connection.execute("select pg_sleep(60)")
        return ctx.attempt

    worker = work(flow)
    run_id = runs.start(flow)

    assert runs.output(run_id) == {"write": 2}
    until(lambda: worker.stuck == 0)
    assert ledger() == ["attempt 2"]


def test_a_connection_that_is_cut_fails_the_attempt_and_no_more(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("cut-off", base_delay=0)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [f"attempt {ctx.attempt}"])
        if ctx.attempt == 1:
            ctx.connection.execute("select pg_terminate_backend(pg_backend_pid())")
        return ctx.attempt

    work(flow)

    assert runs.output(runs.start(flow)) == {"write": 2}
    assert ledger() == ["attempt 2"]


def test_a_commit_that_is_lost_is_no_failure_of_the_handler(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow("lost-commit", max_attempts=1)
    called: list[int] = []

    @flow.step
    def write(run: None, ctx: Context) -> int:
        called.append(1)
        ctx.connection.execute(INSERT, [f"call {len(called)}"])
        if len(called) == 1:
            runs.engine.do("select pg_terminate_backend(%s, 5000)", ctx.connection.info.backend_pid)
        return len(called)

    work(flow)
    run_id = runs.start(flow)

    assert runs.output(run_id) == {"write": 2}
    assert runs.attempts(run_id, "write") == 1
    assert ledger() == ["call 2"]
    assert "could not commit and is handed back" in caplog.text


def test_a_constraint_that_is_checked_at_commit_fails_the_attempt(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("deferred", max_attempts=1)
    runs.engine.do("alter table public.ledger add constraint once unique (entry) deferrable initially deferred")

    @flow.step
    def write(run: None, ctx: Context) -> None:
        for _ in range(2):
            ctx.connection.execute(INSERT, ["twice"])

    work(flow)

    assert "UniqueViolation" in runs.error(runs.start(flow))
    assert ledger() == []


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_handler_cannot_end_the_transaction_itself(
    end: str, work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("ending", max_attempts=1)

    @flow.step
    def write(run: None, ctx: Context) -> None:
        ctx.connection.execute(INSERT, ["early"])
        getattr(ctx.connection, end)()

    work(flow)

    assert "forbidden within a Transaction context" in runs.error(runs.start(flow))
    assert ledger() == []


def test_a_handler_that_closes_the_connection_is_told(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("closing", max_attempts=1)

    @flow.step
    def write(run: None, ctx: Context) -> None:
        ctx.connection.close()

    work(flow)

    assert "the handler has closed ctx.connection" in runs.error(runs.start(flow))


def test_a_part_can_be_undone_and_the_rest_kept(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("parts")

    @flow.step
    def write(run: None, ctx: Context) -> None:
        ctx.connection.row_factory = dict_row  # type: ignore[assignment]
        ctx.connection.execute(INSERT, ["kept"])
        with suppress(psycopg.errors.DivisionByZero), ctx.connection.transaction():
            ctx.connection.execute(INSERT, ["not kept"])
            ctx.connection.execute("select 1 / 0")

    @flow.step(depends_on=[write])
    def look(deps: Any, ctx: Context) -> Any:
        # What the other handler chose for itself is gone.
        return ctx.connection.execute("select count(*) from public.ledger").fetchall()

    work(flow)

    assert runs.output(runs.start(flow)) == {"look": [[1]]}
    assert ledger() == ["kept"]


def test_a_session_is_the_same_transaction(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("by-session", base_delay=0)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, ["by connection"])
        ctx.session.add(Entry(entry=f"attempt {ctx.attempt}"))
        ctx.session.commit()
        ctx.session.add(Entry(entry="thought better of it"))
        ctx.session.rollback()
        ctx.session.add(Entry(entry="flushed at the end"))
        if ctx.attempt == 1:
            raise ValueError("undo all that")
        count: int = ctx.session.execute(text("select count(*) from public.ledger")).scalar_one()
        return count

    work(flow)

    assert runs.output(runs.start(flow)) == {"write": 3}
    assert ledger() == ["by connection", "attempt 2", "flushed at the end"]


def test_what_a_session_cannot_flush_fails_the_attempt(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("unflushable", max_attempts=1)

    @flow.step
    def write(run: None, ctx: Context) -> None:
        ctx.session.add(Entry(id=1, entry="not ours to choose"))

    work(flow)

    assert "GeneratedAlways" in runs.error(runs.start(flow))
    assert ledger() == []


def test_a_run_can_be_started_in_it(work: Callable[..., Worker], runs: Runs, dsn: str) -> None:
    parent, child = Flow("parent", base_delay=0), Flow("child")

    @child.step
    def answer(run: int) -> int:
        return run

    with FlowClient(dsn) as client:

        @parent.step
        def begin(run: None, ctx: Context) -> str:
            started = client.start(child, ctx.attempt, connection=ctx.connection)
            if ctx.attempt == 1:
                raise ValueError("once more")
            return str(started.run_id)

        work(parent, child)
        child_id = runs.output(runs.start(parent))["begin"]

        assert client.get_run(child_id).result(10) == {"answer": 2}
    assert runs.engine.value("select count(*) from pgflow.runs where flow_slug = 'child'") == 1


on_processes = Flow("transacting-processes", base_delay=0)


@on_processes.step
def items(run: list[str]) -> list[str]:
    return run


@on_processes.step(depends_on=[items], fanout=True)
def write_item(item: str, ctx: Context) -> list[str]:
    ctx.connection.execute(INSERT, [f"{item} of {len(ctx.run_input)}"])
    return [str(ctx.attempt)]


def test_it_works_in_other_processes(work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        worker = work(on_processes, executor=executor, concurrency=1)
        run_id = runs.start(on_processes, ["a", "b"])

        assert runs.output(run_id) == {"write_item": [["1"], ["1"]]}
        assert ledger() == ["a of 2", "b of 2"]
        worker.stop()


def test_a_fanout_of_writers_writes_each_item_once(
    work: Callable[..., Worker], runs: Runs, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("writers")

    @flow.step
    def numbers(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[numbers], fanout=True)
    def write(item: int, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [str(item)])
        return item

    work(flow)
    work(flow)

    assert runs.output(runs.start(flow, 60)) == {"write": list(range(60))}
    assert sorted(ledger(), key=int) == [str(n) for n in range(60)]


def test_run_flow_runs_it_inside_the_transaction_of_a_test(
    database: Connection, ledger: Callable[[], list[str]]
) -> None:
    flow = Flow("tested", base_delay=0)

    @flow.step
    def write(run: None, ctx: Context) -> int:
        ctx.connection.execute(INSERT, [f"attempt {ctx.attempt}"])
        ctx.session.add(Entry(entry="by session"))
        if ctx.attempt == 1:
            raise ValueError("once more")
        return ctx.attempt

    database.execute("begin")
    run = run_flow(flow, connection=database)

    assert run.result() == {"write": 2}
    assert ledger() == ["attempt 2", "by session"]
    database.execute("rollback")
    assert ledger() == []

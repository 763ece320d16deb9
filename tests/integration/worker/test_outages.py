"""A database that goes away and comes back."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow.connector import PsycopgConnector
from pgflow.dsl import Flow
from pgflow.models import TaskRecord
from pgflow.worker import Context, Worker
from tests.integration.worker.conftest import Processes, Runs, until_a_handler_runs
from tests.plugins.engine import Engine
from tests.plugins.waiting import until


class Outage:
    """Closes a database to everybody: what is connected is cut off, and nobody gets in."""

    def __init__(self, dsn: str) -> None:
        self._name = str(conninfo_to_dict(dsn)["dbname"])
        self._server = psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True)

    def begin(self) -> None:
        self._server.execute(f'alter database "{self._name}" with allow_connections false'.encode())
        self.cut()

    def cut(self) -> None:
        self._server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [self._name])

    def end(self) -> None:
        self._server.execute(f'alter database "{self._name}" with allow_connections true'.encode())

    def close(self) -> None:
        self.end()
        self._server.close()


@pytest.fixture
def outage(dsn: str) -> Iterator[Outage]:
    outage = Outage(dsn)
    yield outage
    outage.close()


@contextmanager
def looking(dsn: str) -> Iterator[Runs]:
    """A connection that is there only before and after an outage."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield Runs(Engine(connection))


def changes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the worker has logged of the database."""
    lines = [line.getMessage() for line in caplog.records if line.name == "pgflow.worker"]
    return [line for line in lines if "database" in line]


def completed(runs: Runs) -> int:
    count: int = runs.engine.value("select count(*) from pgflow.step_tasks where status = 'completed'")
    return count


def goes_on(runs: Runs, run_ids: list[UUID]) -> Callable[[], bool]:
    """Whether more is completed than there was when this was called, or everything is."""
    before = completed(runs)
    return lambda: (
        completed(runs) > before or all(runs.engine.run(run_id)["status"] == "completed" for run_id in run_ids)
    )


def test_results_are_kept_and_work_that_is_done_is_not_done_again(
    work: Callable[..., Worker],
    dsn: str,
    outage: Outage,
    release: threading.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    flow = Flow("kept")
    called: list[int] = []

    @flow.step
    def items(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[items], fanout=True)
    def hold(item: int) -> int:
        called.append(item)
        release.wait(30)
        return item

    with caplog.at_level(logging.INFO, "pgflow.worker"):
        worker = work(flow, concurrency=4, lease=1)
        with looking(dsn) as runs:
            run_id = runs.start(flow, 4)
            until(lambda: len(called) == 4)
            outage.begin()
            closed_at = time.monotonic()
        release.set()
        until(lambda: worker._crew is not None and worker._crew.inflight.unreported == 4)
        # Once the leases have run out, whoever looks first takes the tasks.
        until(lambda: time.monotonic() > closed_at + 1.2)
        outage.end()
        with looking(dsn) as runs:
            assert runs.output(run_id) == {"hold": [0, 1, 2, 3]}
        # An outage that nobody had to be told of, because every statement waited for it to end, is none.
        until(lambda: len(changes(caplog)) in (0, 2))

    assert sorted(called) == [0, 1, 2, 3]


def test_cut_connections_fail_no_attempt(work: Callable[..., Worker], dsn: str, outage: Outage) -> None:
    flow = Flow("cut", max_attempts=1)

    @flow.step
    def items(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[items], fanout=True)
    def each(item: int) -> int:
        return item

    @flow.step(depends_on=[each])
    def total(each: list[int]) -> int:
        return sum(each)

    work(flow, lease=2)
    with looking(dsn) as runs:
        # A task whose claim was answered into a cut connection starts anew when its lease ends, as a second attempt.
        runs.engine.do("update pgflow.flows set opt_max_attempts = 50 where flow_slug = 'cut'")
        run_ids = [runs.start(flow, 300) for _ in range(3)]
    for _ in range(8):
        outage.cut()
        with looking(dsn) as runs:
            until(goes_on(runs, run_ids))

    with looking(dsn) as runs:
        for run_id in run_ids:
            assert runs.output(run_id) == {"total": 44850}
        failed = runs.engine.value("select count(*) from pgflow.step_tasks where error_message is not null")
        assert failed == 0


def test_a_worker_that_stops_in_an_outage_says_that_it_leaves_something(
    work: Callable[..., Worker], dsn: str, outage: Outage, release: threading.Event
) -> None:
    flow = Flow("left")

    @flow.step
    def hold(run: None) -> None:
        release.wait(30)

    worker = work(flow, lease=1)
    with looking(dsn) as runs:
        run_id = runs.start(flow)
        until_a_handler_runs(worker)
        outage.begin()
    release.set()
    outcome = worker.stop(grace=0.5)
    outage.end()

    assert outcome.unreported == 1
    assert outcome.exit_status == 3
    work(flow, lease=1)
    with looking(dsn) as runs:
        assert runs.output(run_id) == {"hold": None}


def test_an_outage_is_waited_out_by_whoever_asks_for_the_database(
    work: Callable[..., Worker], dsn: str, outage: Outage
) -> None:
    flow = Flow("waiting-handlers", max_attempts=1)
    asking = threading.Barrier(3)

    @flow.step
    def numbers(run: int) -> list[int]:
        return [0, 1]

    @flow.step(depends_on=[numbers], fanout=True)
    def ask(item: int, ctx: Context) -> int:
        asking.wait(30)
        asking.wait(30)
        if item:
            return int(ctx.run_input)
        ((answer,),) = ctx.connection.execute("select 7").fetchall()
        return int(answer)

    work(flow)
    with looking(dsn) as runs:
        run_id = runs.start(flow, 7)
    asking.wait(30)
    outage.begin()
    asking.wait(30)
    outage.end()

    with looking(dsn) as runs:
        assert runs.output(run_id) == {"ask": [7, 7]}


def test_what_a_stopped_claim_has_met_keeps_nothing_from_being_handed_back(
    dsn: str, runs: Runs, release: threading.Event
) -> None:
    flow = Flow("claimless")

    @flow.step
    def hold(run: None) -> None:
        release.wait(30)

    class Claimless(PsycopgConnector):
        broken = False

        def poll_for_tasks(self, *args: Any, **options: Any) -> list[TaskRecord]:
            if self.broken:
                raise psycopg.OperationalError("no claims")
            return super().poll_for_tasks(*args, **options)

    connector = Claimless(dsn)
    worker = Worker(flow, connector=connector).start()
    run_id = runs.start(flow)
    until_a_handler_runs(worker)
    connector.broken = True
    crew = worker._crew
    assert crew is not None
    crew.claimer.wake()
    until(lambda: not crew.health.is_well)
    worker.stop(grace=0.1)
    connector.close()

    assert runs.task(run_id, "hold")["status"] == "queued"


@pytest.mark.parametrize(("flow", "status"), [("quick", 0), ("patient", 3)], ids=["idle", "busy"])
def test_a_signal_ends_a_process_in_an_outage(
    flow: str, status: int, processes: Processes, runs: Runs, outage: Outage, tmp_path: Path
) -> None:
    worker = processes.start("--grace", "0.2", "--lease", "0.5")
    if flow == "patient":
        runs.start(flow, str(tmp_path))
        until(lambda: (tmp_path / "attempt-1").exists())
    outage.begin()
    until(lambda: "no answer from the database" in worker.log.read_text())
    worker.signal(signal.SIGTERM)

    assert worker.exit_status() == status
    assert "Traceback" not in worker.log.read_text()

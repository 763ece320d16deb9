"""Workers that stop: in order, in time, at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pgflow.dsl import Flow
from pgflow.errors import FlowShapeError
from pgflow.worker import Context, Outcome, Worker
from tests.integration.worker.conftest import Processes, Runs, until_a_handler_runs
from tests.plugins.waiting import until


def test_what_runs_may_finish_and_is_reported(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("finishing")
    told: list[bool] = []

    @flow.step
    def holds(run: None, ctx: Context) -> str:
        until(lambda: ctx.should_stop)
        told.append(True)
        return "done"

    worker = work(flow)
    run_id = runs.start(flow)
    until_a_handler_runs(worker)

    assert worker.stop(grace=10) == Outcome()
    assert told == [True]
    assert runs.output(run_id) == {"holds": "done"}


def test_what_does_not_finish_goes_back_at_once_and_the_attempt_does_not_count(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    flow = Flow("handed-back")

    @flow.step
    def holds(run: None, ctx: Context) -> int:
        if not release.is_set():
            release.wait(30)
        return ctx.attempt

    worker = work(flow)
    run_id = runs.start(flow)
    until_a_handler_runs(worker)

    assert worker.stop(grace=0.1) == Outcome(handed_back=1)
    task = runs.task(run_id, "holds")
    assert (task["status"], task["attempts_count"]) == ("queued", 0)
    assert runs.engine.messages("handed-back")[0]["hidden"] <= 0

    release.set()
    work(flow)
    assert runs.output(run_id) == {"holds": 1}


def test_nothing_is_claimed_after_the_stop(work: Callable[..., Worker], runs: Runs, release: threading.Event) -> None:
    flow = Flow("no-more")

    @flow.step
    def holds(run: None) -> None:
        release.wait(30)

    worker = work(flow, concurrency=2)
    first = runs.start(flow)
    until_a_handler_runs(worker)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until(lambda: worker._crew is not None and worker._crew.claimer._stopping)
    until(lambda: worker._crew is not None and not worker._crew._threads["claim"].is_alive())
    second = runs.start(flow)
    release.set()
    stopping.join(10)

    assert runs.output(first) == {"holds": None}
    assert runs.attempts(second, "holds") == 0


def test_stop_can_be_called_again_and_before_the_start(work: Callable[..., Worker], dsn: str) -> None:
    flow = Flow("idle")

    @flow.step
    def never(run: None) -> None:
        return None

    worker = work(flow)
    assert worker.stop() == worker.stop() == Outcome()
    assert Worker(flow, dsn).stop() == Outcome()
    with pytest.raises(RuntimeError, match="make a new one"):
        worker.start()


def test_a_context_manager_starts_and_stops(dsn: str, runs: Runs) -> None:
    flow = Flow("managed")

    @flow.step
    def answer(run: None) -> int:
        return 42

    with Worker(flow, dsn) as worker:
        assert runs.output(runs.start(flow)) == {"answer": 42}

    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("pgflow-handler")])
    row = runs.engine.row("select * from pgflow.workers where worker_id = %s", worker.worker_id)
    assert row["stopped_at"] is not None


def test_run_returns_when_the_worker_is_stopped_elsewhere(dsn: str) -> None:
    flow = Flow("elsewhere")

    @flow.step
    def never(run: None) -> None:
        return None

    worker = Worker(flow, dsn)
    outcomes: list[Outcome] = []
    running = threading.Thread(target=lambda: outcomes.append(worker.run()))
    running.start()
    until(lambda: worker._crew is not None)
    worker.stop()
    running.join(10)

    assert outcomes == [Outcome()]


def test_the_first_connection_fails_in_the_caller() -> None:
    flow = Flow("nowhere")

    @flow.step
    def never(run: None) -> None:
        return None

    with pytest.raises(psycopg.OperationalError):
        Worker(flow, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2").start()


def test_another_shape_is_refused_at_the_start(work: Callable[..., Worker], dsn: str) -> None:
    one, other = Flow("shaped"), Flow("shaped")

    @one.step
    def first(run: None) -> None:
        return None

    @other.step
    def second(run: None) -> None:
        return None

    work(one)
    with pytest.raises(FlowShapeError):
        Worker(other, dsn).start()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_finish(signum: int, processes: Processes, runs: Runs, tmp_path: Path) -> None:
    worker = processes.start()
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    worker.signal(signum)
    until(lambda: "stopping" in worker.log.read_text())
    (tmp_path / "go").touch()

    assert worker.exit_status() == 0
    assert runs.output(run_id) == {"wait": 1}


def test_after_the_grace_period_the_rest_is_handed_back(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    worker = processes.start("--grace", "0.2")
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    worker.signal(signal.SIGTERM)

    assert worker.exit_status() == 3
    assert runs.attempts(run_id, "wait") == 0
    (tmp_path / "go").touch()
    processes.start()
    assert runs.output(run_id) == {"wait": 1}


@pytest.mark.parametrize(("second", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(
    second: int, status: int, processes: Processes, runs: Runs, tmp_path: Path
) -> None:
    worker = processes.start("--grace", "60", "--lease", "1")
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    worker.signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log.read_text())
    started = time.monotonic()
    worker.signal(second)

    assert worker.exit_status() == status
    assert time.monotonic() - started < 5
    (tmp_path / "go").touch()
    processes.start("--lease", "1")
    assert runs.output(run_id) == {"wait": 2}


def test_an_idle_worker_ends_at_once(processes: Processes) -> None:
    worker = processes.start()
    started = time.monotonic()
    worker.signal(signal.SIGTERM)

    assert worker.exit_status() == 0
    assert time.monotonic() - started < 5

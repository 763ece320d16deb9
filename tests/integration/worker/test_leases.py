"""What a worker holds stays its own while it lives, and goes to another soon after it died."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Context, Worker
from tests.integration.worker.conftest import Processes, Runs
from tests.plugins.waiting import DEADLINE, until


def test_a_task_that_outlasts_its_lease_is_not_taken_by_another(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    flow = Flow("outlasting")
    called: list[int] = []

    @flow.step
    def long(run: None) -> int:
        called.append(1)
        release.wait(30)
        return len(called)

    work(flow, lease=0.6)
    work(flow, lease=0.6)
    run_id = runs.start(flow)
    message = runs.engine.messages("outlasting")[0]["vt"]
    # The lease has been extended for longer than it lasts.
    until(lambda: (runs.engine.messages("outlasting")[0]["vt"] - message).total_seconds() > 2)
    release.set()

    assert runs.output(run_id) == {"long": 1}


def test_the_task_of_a_killed_worker_runs_elsewhere_when_the_lease_ends(
    processes: Processes, runs: Runs, tmp_path: Path
) -> None:
    first = processes.start("--lease", "2")
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    second = processes.start("--lease", "2")

    first.signal(signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: (tmp_path / "attempt-2").exists())

    # A lease has at least two thirds of its time left whenever the worker dies.
    assert time.monotonic() - killed < 2 + 1
    (tmp_path / "go").touch()
    assert runs.output(run_id) == {"wait": 2}
    assert runs.task(run_id, "wait")["last_worker_id"] == second.worker_id


def test_it_runs_where_a_worker_slept_before_it_was_claimed(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    workers = {
        worker.worker_id: worker for worker in (processes.start("--lease", "1"), processes.start("--lease", "1"))
    }
    for worker in workers.values():
        until(partial(processes.asleep, worker))
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    taken_by = runs.task(run_id, "wait")["last_worker_id"]

    workers.pop(taken_by).signal(signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: (tmp_path / "attempt-2").exists())

    assert time.monotonic() - killed < 1 + 1
    assert runs.task(run_id, "wait")["last_worker_id"] in workers


def test_it_runs_where_a_worker_had_no_place_for_it_before(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    # Its own lease is a long one: it has to know when the other's ends.
    busy = processes.start("--lease", "30", "--concurrency", "1")
    runs.start("patient", str(theirs))
    until(lambda: (theirs / "attempt-1").exists())
    killed = processes.start("--lease", "1")
    run_id = runs.start("patient", str(ours))
    until(lambda: (ours / "attempt-1").exists())

    killed.signal(signal.SIGKILL)
    killed_at = time.monotonic()
    (theirs / "go").touch()
    until(lambda: (ours / "attempt-2").exists())

    assert time.monotonic() - killed_at < 1 + 1
    assert runs.task(run_id, "wait")["last_worker_id"] == busy.worker_id


def test_a_task_that_kills_its_workers_fails_in_the_end(processes: Processes, runs: Runs) -> None:
    processes.start("--lease", "0.5")
    run_id = runs.start("deadly", "")
    for _ in range(2):
        assert processes.started[-1].exit_status() == 1
        processes.start("--lease", "0.5")

    error = runs.error(run_id)
    assert runs.attempts(run_id, "die") == 2
    assert "worker" in error


def test_a_worker_that_was_suspended_past_its_lease_changes_nothing(
    processes: Processes, runs: Runs, tmp_path: Path
) -> None:
    suspended = processes.start("--lease", "1")
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    suspended.signal(signal.SIGSTOP)
    processes.start("--lease", "1")
    until(lambda: (tmp_path / "attempt-2").exists())
    (tmp_path / "go").touch()
    assert runs.output(run_id) == {"wait": 2}

    suspended.signal(signal.SIGCONT)
    until(lambda: "too late" in suspended.log.read_text() or "has taken it" in suspended.log.read_text())
    suspended.signal(signal.SIGTERM)

    assert suspended.exit_status() == 0
    assert runs.engine.run(run_id)["output"] == {"wait": 2}


def test_the_result_of_a_lost_lease_that_nobody_took_counts(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("nobody-took")
    began = threading.Event()

    @flow.step
    def long(run: None, ctx: Context) -> str:
        began.set()
        until(lambda: ctx.should_stop)  # from now on the worker claims nothing
        runs.engine.do('update pgmq."q_nobody-took" set vt = clock_timestamp()')
        return "mine"

    worker = work(flow)
    run_id = runs.start(flow)
    assert began.wait(DEADLINE)
    worker.stop(grace=10)

    assert runs.output(run_id) == {"long": "mine"}
    assert runs.attempts(run_id, "long") == 1


def test_a_handler_learns_that_its_run_is_over(
    work: Callable[..., Worker], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow("over", max_attempts=1)
    told = threading.Event()
    holding = threading.Event()

    @flow.step
    def holds(run: None, ctx: Context) -> None:
        holding.set()
        until(lambda: ctx.should_stop)
        told.set()

    @flow.step
    def fails(run: None) -> None:
        assert holding.wait(10)
        raise ValueError("no")

    with caplog.at_level(logging.INFO):
        work(flow, lease=0.5)
        run_id = runs.start(flow)
        assert runs.error(run_id) == "ValueError: no"

        assert told.wait(10)
    assert "another worker has taken it, or its run is over" in caplog.text
    assert runs.task(run_id, "holds")["status"] == "cancelled"

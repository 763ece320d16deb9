"""Signals that come to a worker process at bad times."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.worker import process_flows
from tests.integration.worker.conftest import Processes, Runs
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.waiting import until


def waits_for_a_lock(runs: Runs) -> Callable[[], bool]:
    """Whether any session of the database does."""
    blocked = "select from pg_stat_activity where datname = current_database() and pg_blocking_pids(pid) <> '{}'"
    return lambda: bool(runs.engine.rows(blocked))


@pytest.fixture
def another(connect: Callable[..., Connection]) -> Engine:
    """A session with a transaction of its own."""
    return Engine(connect(autocommit=False))


def test_what_a_claim_under_way_still_brings_goes_back_unbegun(
    processes: Processes, runs: Runs, another: Engine, tmp_path: Path
) -> None:
    runs.define(process_flows.patient)
    run_id = runs.start("patient", str(tmp_path))
    another.do("lock table pgflow.step_tasks in exclusive mode")
    worker = processes.start("--lease", "30")
    until(waits_for_a_lock(runs))
    worker.signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log.read_text())
    another.connection.rollback()

    assert worker.exit_status() == 0
    task = runs.task(run_id, "wait")
    assert (task["status"], task["attempts_count"], task["token"]) == ("queued", 0, 1)
    assert runs.engine.messages("patient")[0]["hidden"] <= 0
    assert not (tmp_path / "attempt-1").exists()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_before_anything_has_begun_it_ends_at_once(
    signum: int, processes: Processes, runs: Runs, another: Engine
) -> None:
    another.do("lock table pgflow.flows in access exclusive mode")
    worker = processes.launch()
    until(waits_for_a_lock(runs), timeout=30)
    worker.signal(signum)

    assert worker.exit_status() == 0
    assert "Traceback" not in worker.log.read_text()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_may_come_when_the_stop_is_done(signum: int, processes: Processes, runs: Runs) -> None:
    worker = processes.start()
    worker.signal(signum)
    until(lambda: runs.engine.rows("select from pgflow.workers where stopped_at is not null"))
    worker.signal(signum)

    # Whether the second came in time is the machine's to say; a shell says the same of the last two.
    assert worker.exit_status() in (0, 128 + signum, -signum)
    log = worker.log.read_text()
    assert "Traceback" not in log
    assert "Abort" not in log


def test_everything_is_reported_before_the_connections_close(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    worker = processes.start()
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    worker.signal(signal.SIGTERM)
    until(lambda: "stopping" in worker.log.read_text())
    (tmp_path / "go").touch()

    assert worker.exit_status() == 0
    assert runs.output(run_id) == {"wait": 1}
    (row,) = runs.engine.rows("select * from pgflow.get_workers()")
    assert row["stopped_at"] > runs.task(run_id, "wait")["completed_at"]
    assert not [line for line in worker.log.read_text().splitlines() if "WARNING" in line or "ERROR" in line]
    left = "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    until(lambda: not runs.engine.rows(left))


def test_what_is_handed_back_is_taken_by_a_sleeping_worker_at_once(
    processes: Processes, runs: Runs, tmp_path: Path
) -> None:
    first = processes.start("--grace", "0", "--lease", "60")
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    second = processes.start("--lease", "60")
    until(lambda: processes.asleep(second))
    first.signal(signal.SIGTERM)
    assert first.exit_status() == 3

    # Long before the lease of the first could have ended, or the second would have looked by itself.
    until(lambda: runs.task(run_id, "wait")["last_worker_id"] == second.worker_id, timeout=5)
    (tmp_path / "go").touch()
    assert runs.output(run_id) == {"wait": 1}

"""A worker process that was suspended past its lease: what it then does counts only if nobody took its task."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from attrs import frozen

from tests.integration.worker.conftest import Processes, Runs, WorkerProcess
from tests.plugins.waiting import until


@frozen
class Overtaken:
    """A run whose only task is at its second attempt, in another process than the one that is suspended."""

    run_id: UUID
    folder: Path
    suspended: WorkerProcess
    other: WorkerProcess


@pytest.fixture
def overtake(processes: Processes, runs: Runs, tmp_path: Path) -> Callable[..., Overtaken]:
    """Suspends a worker process until another has taken its task; takes the options of the first."""

    def overtake(*options: str, **environment: str) -> Overtaken:
        suspended = processes.start("--lease", "0.5", *options, **environment)
        run_id = runs.start("patient", str(tmp_path))
        until(lambda: (tmp_path / "attempt-1").exists())
        suspended.signal(signal.SIGSTOP)
        other = processes.start("--lease", "60")
        until(lambda: (tmp_path / "attempt-2").exists())
        return Overtaken(run_id, tmp_path, suspended, other)

    return overtake


def assert_the_newer_attempt_goes_on(runs: Runs, overtaken: Overtaken) -> None:
    task = runs.task(overtaken.run_id, "wait")
    assert (task["status"], task["attempts_count"], task["error_message"]) == ("started", 2, None)
    # Had it been handed back, the other worker would have claimed it anew, and gone on with what it holds.
    assert task["token"] == 2
    assert task["last_worker_id"] == overtaken.other.worker_id
    # Neither handed back nor delayed: the other's lease, and no more.
    assert 30 < runs.engine.messages("patient")[0]["hidden"] <= 60
    (overtaken.folder / "go").touch()
    assert runs.output(overtaken.run_id) == {"wait": 2}
    assert not (overtaken.folder / "attempt-3").exists()


def test_a_handler_that_then_fails_fails_nothing(overtake: Callable[..., Overtaken], runs: Runs) -> None:
    overtaken = overtake()
    (overtaken.folder / "break-1").touch()
    overtaken.suspended.signal(signal.SIGCONT)
    until(lambda: "ValueError: attempt 1 broke" in overtaken.suspended.log.read_text())
    until(lambda: "came too late and was ignored" in overtaken.suspended.log.read_text())

    assert_the_newer_attempt_goes_on(runs, overtaken)


def test_a_timeout_that_then_strikes_ends_nothing(overtake: Callable[..., Overtaken], runs: Runs) -> None:
    overtaken = overtake(PATIENT_TIMEOUT="1")
    overtaken.suspended.signal(signal.SIGCONT)
    until(lambda: "timed out after 1 s" in overtaken.suspended.log.read_text())
    until(lambda: "came too late and was ignored" in overtaken.suspended.log.read_text())

    assert_the_newer_attempt_goes_on(runs, overtaken)


def test_a_hand_back_that_then_comes_releases_nothing(overtake: Callable[..., Overtaken], runs: Runs) -> None:
    overtaken = overtake("--grace", "0")
    overtaken.suspended.signal(signal.SIGTERM)
    overtaken.suspended.signal(signal.SIGCONT)
    assert overtaken.suspended.exit_status() == 3

    assert_the_newer_attempt_goes_on(runs, overtaken)


def test_a_result_that_nobody_else_was_there_to_find_counts(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    alone = processes.start("--lease", "0.5")
    run_id = runs.start("patient", str(tmp_path))
    until(lambda: (tmp_path / "attempt-1").exists())
    alone.signal(signal.SIGSTOP)
    until(lambda: runs.engine.messages("patient")[0]["hidden"] < 0)
    alone.signal(signal.SIGCONT)
    # It holds the task again, by a longer lease or by a claim of its own.
    until(lambda: runs.engine.messages("patient")[0]["hidden"] > 0)
    (tmp_path / "go").touch()

    assert runs.output(run_id) == {"wait": 1}
    assert not (tmp_path / "attempt-2").exists()

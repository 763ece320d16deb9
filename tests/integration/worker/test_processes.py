"""Handlers in processes: what a crash, a timeout and a stop mean there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Context, Outcome, RetryAfter, Worker
from pgflow.worker.interrupts import SecondSignal
from tests.integration.worker.conftest import Processes, Runs
from tests.plugins.processes import has_ended, is_gone
from tests.plugins.waiting import DEADLINE, until


def pool(size: int = 2, method: str = "forkserver", **options: Any) -> Executor:
    return ProcessPoolExecutor(size, multiprocessing.get_context(method), **options)


def no_child_is_left() -> bool:
    return not [child for child in multiprocessing.active_children() if child.name == "pgflow-handler"]


def tell(folder: str, name: str, text: str) -> None:
    """Make a file that is there with all of its text or not at all."""
    (Path(folder) / f"{name}.new").write_text(text)
    (Path(folder) / f"{name}.new").rename(Path(folder) / name)


def told(folder: Path, name: str) -> str:
    until((folder / name).exists, f"the file {name}", timeout=2 * DEADLINE)
    return (folder / name).read_text()


crowd = Flow("crowd-of-processes", base_delay=0)


@crowd.step
def folders(run: str) -> list[str]:
    return [run] * 3


@crowd.step(depends_on=[folders], fanout=True)
def survive(item: str, ctx: Context) -> int:
    """The first of three crashes while the others run."""
    if ctx.task_index == 0:
        for other in (1, 2):
            told(Path(item), f"runs-{other}")
        if ctx.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        tell(item, "again", "")
    else:
        tell(item, f"runs-{ctx.task_index}", "")
        told(Path(item), "again")
    return ctx.attempt


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_crash_fails_its_own_attempt_only(
    method: str, work: Callable[..., Worker], runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work(crowd, executor=pool(3, method))

    assert runs.output(runs.start(crowd, str(tmp_path))) == {"survive": [2, 1, 1]}
    assert "ProcessDiedError: the process of the handler was killed by signal 9 (SIGKILL)" in caplog.text


failing = Flow("failing-in-processes", base_delay=0, max_attempts=1)


class NeedsMore(Exception):  # noqa: N818  named like a user's
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


@failing.step
def fail(run: str, ctx: Context) -> None:
    if run == "crash":
        os._exit(1)
    if run == "exit":
        sys.exit(2)
    raise NeedsMore("paper", "none left")


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("crash", "ProcessDiedError: the process of the handler ended with exit status 1"),
        ("exit", "SystemExit: 2"),
        ("raise", "NeedsMore: paper: none left"),
    ],
)
def test_the_stored_error_says_what_happened(how: str, error: str, work: Callable[..., Worker], runs: Runs) -> None:
    work(failing, executor=pool(1))
    run_id = runs.start(failing, how)

    assert runs.error(run_id) == error
    if how == "raise":
        trace = runs.task(run_id, "fail")["traceback"]
        assert trace.startswith(f'Traceback (most recent call last):\n  File "{__file__}"')
        assert "in fail\n" in trace


retried = Flow("retried-in-processes", base_delay=60)


@retried.step
def retry(run: None, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise RetryAfter(0) from NeedsMore("ink", "too dry")
    return ctx.attempt


def test_a_handler_decides_about_its_retry(
    work: Callable[..., Worker], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    work(retried, executor=pool(1))

    assert runs.output(runs.start(retried)) == {"retry": 2}
    assert "(attempt 1 of 3): NeedsMore: ink: too dry" in caplog.text


# A process may take longer to start than an attempt may last: then there is one attempt more.
hanging = Flow("hanging-in-processes", base_delay=0, timeout=1, max_attempts=30)


@hanging.step
def hang_once(run: str) -> int:
    if not (Path(run) / "hangs").exists():
        tell(run, "hangs", str(os.getpid()))
        threading.Event().wait(60)
    return os.getpid()


def test_a_timeout_kills_the_process(work: Callable[..., Worker], runs: Runs, tmp_path: Path) -> None:
    worker = work(hanging, executor=pool(1))
    other = runs.output(runs.start(hanging, str(tmp_path)))["hang_once"]

    assert worker.stuck == 0
    pid = int(told(tmp_path, "hangs"))
    until(lambda: is_gone(pid))
    assert other != pid


patient = Flow("patient-in-processes", base_delay=0)


@patient.step
def wait_here(run: str, ctx: Context) -> int:
    tell(run, f"attempt-{ctx.attempt}", str(os.getpid()))
    told(Path(run), "go")
    return ctx.attempt


def test_a_stop_lets_processes_finish_and_leaves_none(work: Callable[..., Worker], runs: Runs, tmp_path: Path) -> None:
    worker = work(patient, executor=pool())
    run_id = runs.start(patient, str(tmp_path))
    told(tmp_path, "attempt-1")
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    until(lambda: worker._crew is not None and worker._crew.claimer._stopping)
    (tmp_path / "go").touch()
    stopping.join(DEADLINE)

    assert worker.stop() == Outcome()
    assert runs.output(run_id) == {"wait_here": 1}
    assert no_child_is_left()


def test_a_stop_kills_what_is_handed_back(work: Callable[..., Worker], runs: Runs, tmp_path: Path) -> None:
    worker = work(patient, executor=pool())
    run_id = runs.start(patient, str(tmp_path))
    pid = int(told(tmp_path, "attempt-1"))

    assert worker.stop(grace=0) == Outcome(handed_back=1)
    assert is_gone(pid)
    assert no_child_is_left()
    assert runs.attempts(run_id, "wait_here") == 0


class Interrupted:
    """The ends that a worker awaits, cut short by a second signal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self) -> None:
        told(self.folder, "attempt-1")
        raise SecondSignal(signal.SIGINT)

    def put(self, end: object) -> None:
        pass


def test_a_second_signal_leaves_no_process(dsn: str, runs: Runs, tmp_path: Path) -> None:
    worker = Worker(patient, dsn, executor=pool())
    worker._ends = Interrupted(tmp_path)  # type: ignore[assignment]
    runs.define(patient)
    runs.start(patient, str(tmp_path))

    assert worker.run() == Outcome(killed_by=signal.SIGINT)
    pid = int(told(tmp_path, "attempt-1"))
    until(lambda: is_gone(pid))
    worker.stop(grace=0)
    assert no_child_is_left()


def refuse(why: str) -> None:
    raise LookupError(why)


def test_an_initializer_that_fails_is_an_error_of_the_attempt(work: Callable[..., Worker], runs: Runs) -> None:
    work(failing, executor=pool(1, initializer=refuse, initargs=("no licence",)))
    run_id = runs.start(failing, "raise")

    assert "its initializer raised LookupError: no licence" in runs.error(run_id)
    assert "in refuse" in runs.task(run_id, "fail")["traceback"]


numbered = Flow("numbered")


@numbered.step
def three(run: None) -> list[int]:
    return [1, 2, 3]


@numbered.step(depends_on=[three], fanout=True)
def where(item: int) -> int:
    return os.getpid()


def test_a_process_ends_after_as_many_tasks_as_the_pool_says(work: Callable[..., Worker], runs: Runs) -> None:
    work(numbered, executor=pool(1, max_tasks_per_child=1))

    assert len(set(runs.output(runs.start(numbered))["where"])) == 3


def test_the_command_runs_handlers_in_processes(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    worker = processes.start("--processes", "--concurrency", "2")
    run_id = runs.start("patient", str(tmp_path))
    pid = int(told(tmp_path, "attempt-1"))
    # As when a terminal or a service manager signals all of them.
    worker.signal(signal.SIGTERM)
    os.kill(pid, signal.SIGTERM)
    until(lambda: "stopping" in worker.log.read_text())
    (tmp_path / "go").touch()

    assert worker.exit_status() == 0
    assert pid != worker.pid
    assert runs.output(run_id) == {"wait": 1}
    assert is_gone(pid)


def test_a_crashing_handler_leaves_the_command_working(processes: Processes, runs: Runs, tmp_path: Path) -> None:
    worker = processes.start("--processes", "--concurrency", "1")

    assert (
        runs.error(runs.start("deadly", "")) == "ProcessDiedError: the process of the handler ended with exit status 1"
    )
    assert runs.output(runs.start("quick", 4)) == {"double": 8}
    assert worker.process.poll() is None


@pytest.mark.parametrize("end", ["second signal", "kill"])
def test_no_process_outlives_the_command(end: str, processes: Processes, runs: Runs, tmp_path: Path) -> None:
    worker = processes.start("--processes")
    runs.start("patient", str(tmp_path))
    pid = int(told(tmp_path, "attempt-1"))
    if end == "kill":
        worker.signal(signal.SIGKILL)
    else:
        worker.signal(signal.SIGTERM)
        until(lambda: "stopping" in worker.log.read_text())
        worker.signal(signal.SIGTERM)

    assert worker.exit_status() == (-signal.SIGKILL if end == "kill" else 128 + signal.SIGTERM)
    until(lambda: has_ended(pid))

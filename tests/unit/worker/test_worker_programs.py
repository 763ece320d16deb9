"""Processes of handlers in programs of their own, which are signalled, killed, or end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pgflow.worker.processes import HandlerProcesses
from tests.plugins.waiting import DEADLINE, until
from tests.unit.worker.test_processes import METHODS, begun, recipe, wait_for

ROOT = Path(__file__).resolve().parents[3]


def work_despite_signals(method: str, folder: str) -> None:
    """What a worker's process does in the test below."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda signum, frame: None)
    executor = HandlerProcesses(2, recipe(method))
    calls = [executor.submit(wait_for, Path(folder), name) for name in ("one", "two")]
    sys.stdout.write("working\n")
    sys.stdout.flush()
    for call in calls:
        call.result()
    executor.shutdown()


@pytest.mark.parametrize("method", METHODS)
def test_signals_for_all_processes_stop_no_handler_from_its_first_moment_on(method: str, tmp_path: Path) -> None:
    program = f"from {__name__} import work_despite_signals; work_despite_signals({method!r}, {str(tmp_path)!r})"
    worker = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert worker.stdout is not None
    worker.stdout.readline()

    def signal_all() -> bool:
        for signum in (signal.SIGINT, signal.SIGTERM):
            os.killpg(worker.pid, signum)
        return all((tmp_path / name).exists() for name in ("one", "two"))

    until(signal_all, timeout=30)
    signal_all()
    (tmp_path / "go").touch()

    assert worker.communicate(timeout=DEADLINE)[1] == ""
    assert worker.returncode == 0


def work_until_killed(method: str, folder: str) -> None:
    """What a worker's process does in the tests below."""
    executor = HandlerProcesses(2, recipe(method))
    for name in ("one", "two", "three"):
        executor.submit(wait_for, Path(folder), name)
    executor.submit(os.getpid).result()  # and one that idles
    sys.stdout.write("working\n")
    sys.stdout.flush()
    sys.stdin.read()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["kill", "exit"])
def test_no_process_outlives_its_worker(method: str, end: str, tmp_path: Path) -> None:
    program = f"from {__name__} import work_until_killed; work_until_killed({method!r}, {str(tmp_path)!r})"
    worker = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "working\n"
    for name in ("one", "two", "three"):
        begun(tmp_path, name)
    if end == "kill":
        worker.kill()

    # Each process has inherited the pipe: it ends with the last of them.
    worker.communicate(timeout=DEADLINE)


def test_a_program_without_a_main_guard_is_told(tmp_path: Path) -> None:
    program = tmp_path / "unguarded.py"
    program.write_text(
        "import multiprocessing, os\n"
        "from pgflow.worker.handler_process import Recipe\n"
        "from pgflow.worker.processes import HandlerProcesses\n"
        "HandlerProcesses(1, Recipe(multiprocessing.get_context('spawn'))).submit(os.getpid).result()\n"
    )
    done = subprocess.run([sys.executable, str(program)], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert 'put what starts the worker under `if __name__ == "__main__":`' in done.stderr
    assert "ProcessDiedError: the process of the handler ended with exit status 1" in done.stderr

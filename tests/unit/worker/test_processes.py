from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from pgflow.errors import ProcessDiedError
from pgflow.worker import handler_process
from pgflow.worker.control import RetryAfter
from pgflow.worker.failures import RemoteError
from pgflow.worker.handler_process import HandlerProcess, Recipe
from pgflow.worker.processes import HandlerProcesses
from tests.plugins.processes import is_gone
from tests.plugins.waiting import DEADLINE, until

METHODS = ["fork", "forkserver", "spawn"]


def recipe(method: str = "forkserver", **options: Any) -> Recipe:
    return Recipe(multiprocessing.get_context(method), **options)


@pytest.fixture
def make() -> Iterator[Callable[[Recipe], HandlerProcesses]]:
    """Makes executors, and sees that none of their processes is left."""
    made: list[HandlerProcesses] = []

    def make(recipe: Recipe) -> HandlerProcesses:
        made.append(HandlerProcesses(2, recipe))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown()
        assert not executor._alive


@pytest.fixture
def processes(make: Callable[[Recipe], HandlerProcesses]) -> HandlerProcesses:
    return make(recipe())


@pytest.fixture(params=METHODS)
def of_each_kind(make: Callable[[Recipe], HandlerProcesses], request: pytest.FixtureRequest) -> HandlerProcesses:
    return make(recipe(request.param))


def wait_for(folder: Path, name: str = "call") -> int:
    """Write down the process, and wait for the file ``go``; the result is the process's id."""
    temporary = folder / f"{name}.new"
    temporary.write_text(str(os.getpid()))
    temporary.rename(folder / name)
    until(lambda: (folder / "go").exists(), timeout=60)
    return os.getpid()


def begun(folder: Path, name: str = "call") -> int:
    """The id of the process in which `wait_for` waits."""
    until((folder / name).exists)
    return int((folder / name).read_text())


def raised(future: Future[Any]) -> BaseException:
    error = future.exception(DEADLINE)
    assert error is not None
    return error


def send_signal(signum: int) -> None:
    os.kill(os.getpid(), signum)


def test_an_idle_process_is_used_again(of_each_kind: HandlerProcesses) -> None:
    pids = {of_each_kind.submit(os.getpid).result(DEADLINE) for _ in range(3)}

    assert len(pids) == 1
    assert os.getpid() not in pids


def test_a_crash_belongs_to_its_call_alone(of_each_kind: HandlerProcesses, tmp_path: Path) -> None:
    untouched = of_each_kind.submit(wait_for, tmp_path)
    pid = begun(tmp_path)
    exited = of_each_kind.submit(os._exit, 3)
    killed = of_each_kind.submit(send_signal, signal.SIGKILL)

    assert str(raised(exited)) == "the process of the handler ended with exit status 3"
    assert str(raised(killed)) == "the process of the handler was killed by signal 9 (SIGKILL)"
    assert of_each_kind.submit(os.getpid).result(DEADLINE) != pid
    (tmp_path / "go").touch()
    assert untouched.result(DEADLINE) == pid


def test_a_call_is_killed_with_its_process(of_each_kind: HandlerProcesses, tmp_path: Path) -> None:
    call = of_each_kind.submit(wait_for, tmp_path)
    pid = begun(tmp_path)

    assert of_each_kind.kill(call)
    assert isinstance(raised(call), ProcessDiedError)
    assert is_gone(pid)
    assert not of_each_kind.kill(call)
    assert of_each_kind.submit(os.getpid).result(DEADLINE) != pid


def test_a_call_is_killed_before_its_process_has_started(of_each_kind: HandlerProcesses) -> None:
    call = of_each_kind.submit(os.getpid)

    assert call.done() or of_each_kind.kill(call)
    assert isinstance(call.exception(DEADLINE), ProcessDiedError | None)


def outlive_signals() -> tuple[int, int]:
    """Go on after the signals that stop a worker, and see that a program which is started here does not."""
    send_signal(signal.SIGINT)
    send_signal(signal.SIGTERM)
    program = subprocess.Popen(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"], stdout=-1
    )
    assert program.stdout is not None
    program.stdout.readline()
    program.terminate()
    program.communicate()
    return os.getpid(), program.returncode


def test_the_signals_that_stop_a_worker_stop_no_handler(of_each_kind: HandlerProcesses) -> None:
    pid, program = of_each_kind.submit(outlive_signals).result(DEADLINE)

    assert program == -signal.SIGTERM
    assert of_each_kind.submit(os.getpid).result(DEADLINE) == pid


def test_a_process_ends_after_so_many_calls(make: Callable[[Recipe], HandlerProcesses]) -> None:
    processes = make(recipe(max_calls=2))
    pids = [processes.submit(os.getpid).result(DEADLINE) for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


def refuse(why: str) -> None:
    raise LookupError(why)


def test_an_initializer_that_fails_is_told_and_tried_again(make: Callable[[Recipe], HandlerProcesses]) -> None:
    processes = make(recipe(initializer=refuse, initargs=("no licence",)))

    for _ in range(2):
        error = raised(processes.submit(os.getpid))
        assert str(error) == "the process of the handler ended because its initializer raised LookupError: no licence"
        assert "in refuse" in error.__notes__[0]


def test_an_initializer_that_crashes_is_told(make: Callable[[Recipe], HandlerProcesses]) -> None:
    processes = make(recipe(initializer=os._exit, initargs=(4,)))

    assert str(raised(processes.submit(os.getpid))) == "the process of the handler ended with exit status 4"


def test_a_process_that_cannot_be_started_is_told(make: Callable[[Recipe], HandlerProcesses]) -> None:
    processes = make(recipe("spawn", initializer=lambda: None))

    assert "no process could be started for the handler: " in str(raised(processes.submit(os.getpid)))


class NeedsMore(Exception):  # noqa: N818  named like a user's
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


def fail_in_some_way(way: str) -> None:
    class Local(Exception):  # noqa: N818
        pass

    if way == "classic":
        raise NeedsMore("paper", "none left")
    if way == "local":
        raise Local("not importable")
    if way == "exit":
        sys.exit("enough")
    raise RetryAfter(7) from NeedsMore("ink", "too dry")


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("classic", "NeedsMore: paper: none left"),
        ("local", "Local: not importable"),
        ("exit", "SystemExit: enough"),
        ("retry", "NeedsMore: ink: too dry"),
    ],
)
def test_whatever_a_call_raises_arrives(processes: HandlerProcesses, way: str, message: str) -> None:
    error = raised(processes.submit(fail_in_some_way, way))

    assert isinstance(error, RemoteError)
    assert error.message == message
    assert "in fail_in_some_way" in str(error)
    assert error.retry_delay == (7 if way == "retry" else None)
    assert processes.submit(os.getpid).result(DEADLINE)


class Unlike(str):
    """A text that pickles and cannot be made again."""

    __slots__ = ()

    def __new__(cls, text: str, more: str) -> Unlike:
        return super().__new__(cls, text + more)


def test_a_result_that_cannot_be_made_again_fails_its_call_only(processes: HandlerProcesses) -> None:
    pid = processes.submit(os.getpid).result(DEADLINE)

    assert isinstance(raised(processes.submit(Unlike, "a", "b")), TypeError)
    assert processes.submit(os.getpid).result(DEADLINE) == pid


def test_a_call_that_cannot_be_sent_fails_alone(processes: HandlerProcesses) -> None:
    pid = processes.submit(os.getpid).result(DEADLINE)

    assert "lambda" in str(raised(processes.submit(lambda: None)))
    assert processes.submit(os.getpid).result(DEADLINE) == pid


def test_an_idle_process_that_has_died_costs_no_call(processes: HandlerProcesses) -> None:
    pid = processes.submit(os.getpid).result(DEADLINE)
    (idle,) = processes._idle
    os.kill(pid, signal.SIGKILL)
    until(lambda: not idle.is_usable)

    assert processes.submit(os.getpid).result(DEADLINE) != pid


def test_a_process_that_is_killed_when_it_has_just_answered_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    process = HandlerProcess(recipe())
    receive = handler_process._receive

    def receive_and_kill(*ends: Any) -> bytes:
        answer = receive(*ends)
        process.kill()
        return answer

    monkeypatch.setattr(handler_process, "_receive", receive_and_kill)
    with pytest.raises(RemoteError, match="LookupError: too late"):
        process.call(refuse, ("too late",), {})

    # The system may take its time to kill it.
    assert process._spent
    process.join()


def die_while_answering() -> None:
    (calls,) = (found for found in gc.get_objects() if isinstance(found, Connection) and not found.closed)
    os.write(calls.fileno(), struct.pack("!i", 1_000) + b"the first of a thousand bytes")
    os._exit(5)


def test_a_process_that_dies_while_it_sends_its_result_is_noticed(processes: HandlerProcesses) -> None:
    assert str(raised(processes.submit(die_while_answering))) == "the process of the handler ended with exit status 5"


def leave_a_program_behind(folder: Path) -> None:
    """Die, while a forked process holds every pipe open."""
    if os.fork() == 0:
        wait_for(folder)
        os._exit(0)
    begun(folder)
    os._exit(6)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_program_that_outlives_its_process_hides_no_crash(
    method: str, make: Callable[[Recipe], HandlerProcesses], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgflow.worker.handler_process._GLANCE", 0.05)
    call = make(recipe(method)).submit(leave_a_program_behind, tmp_path)

    assert str(raised(call)) == "the process of the handler ended with exit status 6"
    (tmp_path / "go").touch()


def test_a_large_call_and_a_large_result_pass(processes: HandlerProcesses) -> None:
    text = "x" * 3_000_000

    assert processes.submit(str.upper, text).result(DEADLINE) == text.upper()


def test_a_call_can_be_cancelled_before_it_begins(processes: HandlerProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[Callable[[], None]] = []
    monkeypatch.setattr(processes._threads, "submit", lambda *call: waiting.append(lambda: call[0](*call[1:])))
    call = processes.submit(os.getpid)

    assert call.cancel()
    waiting[0]()
    assert not processes._busy
    monkeypatch.undo()
    assert processes.submit(os.getpid).result(DEADLINE)


def test_shutdown_lets_calls_finish_and_processes_end(processes: HandlerProcesses, tmp_path: Path) -> None:
    idle = processes.submit(os.getpid).result(DEADLINE)
    call = processes.submit(wait_for, tmp_path)
    other = processes.submit(os.getpid).result(DEADLINE)
    busy = begun(tmp_path)
    closing = threading.Thread(target=processes.shutdown)
    closing.start()
    until(lambda: processes._closed)
    with pytest.raises(RuntimeError, match="shut down"):
        processes.submit(os.getpid)
    (tmp_path / "go").touch()
    closing.join(DEADLINE)

    assert call.result(DEADLINE) == busy
    assert all(is_gone(pid) for pid in (idle, other, busy))


def test_shutdown_does_not_wait_for_ever(
    processes: HandlerProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgflow.worker.processes._PATIENCE", 0.2)
    call = processes.submit(wait_for, tmp_path)
    pid = begun(tmp_path)
    processes.shutdown()

    assert is_gone(pid)
    assert isinstance(raised(call), ProcessDiedError)


def hang_at_exit() -> None:
    threading.Thread(target=threading.Event().wait).start()


def test_a_process_that_does_not_end_by_itself_is_killed(
    processes: HandlerProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgflow.worker.handler_process._LAST_STEPS", 0.2)
    processes.submit(hang_at_exit).result(DEADLINE)
    processes.shutdown()

    assert not processes._alive


def test_a_fork_of_the_workers_process_kills_nothing_at_its_end(processes: HandlerProcesses) -> None:
    pid = processes.submit(os.getpid).result(DEADLINE)
    if (child := os.fork()) == 0:
        processes.kill_all()
        os._exit(0)
    os.waitpid(child, 0)

    assert processes.submit(os.getpid).result(DEADLINE) == pid


def test_nothing_is_started_before_the_first_call() -> None:
    process = HandlerProcess(recipe())

    assert process.is_usable
    process.dismiss()
    process.join()
    assert process._live is None

"""A process that runs handlers: the worker's end of it, and what runs inside."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from attrs import define, field, frozen

from pgflow.errors import ProcessDiedError
from pgflow.worker.failures import RemoteError, describe

__all__ = ["HandlerProcess", "Recipe"]

#: Seconds between looks at what no pipe may tell: a program that outlives the process can hold its pipes open.
_GLANCE = 1.0
#: Seconds that a process gets to end by itself once it has been told to.
_LAST_STEPS = 5.0
#: The message that asks a process to end.
_LEAVE = b""

#: Of two processes forked at once each could hold the other's pipes, and no end of them would be seen.
_starting = threading.Lock()


@frozen
class Recipe:
    """How processes are made; the fields mean what they mean to `concurrent.futures.ProcessPoolExecutor`."""

    context: BaseContext
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    #: Calls after which a process is replaced; None for never.
    max_calls: int | None = None


class _Answer(Enum):
    """How a call ended."""

    RETURNED = "returned"
    RAISED = "raised"
    #: The process cannot run calls.
    UNABLE = "unable"


@define(eq=False)
class HandlerProcess:
    """One process, started by its first call, that runs one call after the other.

    The standard library's pool of processes is not used: a process that is killed while it sends a result stops such a
    pool for ever, because the pool keeps the sending end of the pipe open itself.

    One thread at a time may `call`; `kill` may come from any.
    """

    _recipe: Recipe
    #: The process, once it was started, and our end of the pipe to it.
    _live: tuple[BaseProcess, Connection[Any, Any]] | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)
    _spent: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def is_usable(self) -> bool:
        """Whether another call may be made."""
        if self._spent or self._calls == self._recipe.max_calls:
            return False
        return self._live is None or not wait([self._live[0].sentinel], 0)

    def call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what ``fn(*args, **kwargs)`` returns in the process.

        :raises RemoteError: if it raises, whatever it is.
        :raises ProcessDiedError: if the process ends before it answers, or cannot be started.
        :raises Exception: if the call cannot be pickled, or its result cannot be unpickled here.
        """
        payload = pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)
        process, connection = self._live or self._start()
        self._calls += 1
        try:
            connection.send_bytes(payload)
            del payload
            received = _receive(process, connection)
        except (EOFError, OSError):
            self._spent = True
            self.join()
            raise ProcessDiedError(f"the process of the handler {_fate(process.exitcode or 0)}") from None
        kind, value = pickle.loads(received)  # noqa: S301  by our own process
        if kind is _Answer.RETURNED:
            return value
        if kind is _Answer.UNABLE:
            self._spent = True
        raise value

    def kill(self) -> None:
        """Kill the process, or keep it from starting; nothing it does is of interest any more."""
        with self._lock:
            self._spent = True
            if self._live is not None:
                self._live[0].kill()

    def dismiss(self) -> None:
        """Let the idle process end by itself; `join` waits for it."""
        self._spent = True
        if self._live is not None:
            with suppress(OSError):
                self._live[1].send_bytes(_LEAVE)

    def join(self) -> None:
        """Wait until the process has ended; one that takes too long over it is killed."""
        if self._live is None:
            return
        process, connection = self._live
        process.join(_LAST_STEPS)
        if process.exitcode is None:
            process.kill()
            process.join()
        connection.close()

    def _start(self) -> tuple[BaseProcess, Connection[Any, Any]]:
        recipe = self._recipe
        method = recipe.context.get_start_method()
        # A forked or spawned process is the worker's child; one from a fork server has another parent.
        child_of = None if method == "forkserver" else os.getpid()
        try:
            with _starting:
                ours, theirs = recipe.context.Pipe()
                with theirs, _termination_blocked(method):
                    process = recipe.context.Process(  # type: ignore[attr-defined]
                        target=_serve,
                        args=(theirs, recipe.initializer, recipe.initargs, child_of),
                        name="pgflow-handler",
                    )
                    process.start()
        except Exception as error:
            self._spent = True
            raise ProcessDiedError(f"no process could be started for the handler: {describe(error)}") from error
        with self._lock:
            self._live = process, ours
            if self._spent:
                process.kill()
        return self._live


def _receive(process: BaseProcess, connection: Connection[Any, Any]) -> bytes:
    while not wait([connection, process.sentinel], _GLANCE) and process.exitcode is None:
        pass
    # What it has sent before it ended still counts.
    if not connection.poll():
        raise EOFError
    return connection.recv_bytes()


def _fate(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit status {exit_code}"
    name = next((f" ({known.name})" for known in signal.Signals if known == -exit_code), "")
    return f"was killed by signal {-exit_code}{name}"


@contextmanager
def _termination_blocked(method: str) -> Iterator[None]:
    """Block SIGTERM and SIGINT in this thread, and so in the processes it starts, until they are ready for them.

    A fork server that is started here keeps them blocked, or a signal to the whole process group would end it.
    """
    if method != "fork":
        # Every other method starts it, and it would unblock them behind our back.
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_TERMINATION = (signal.SIGTERM, signal.SIGINT)


def _serve(
    calls: Connection[Any, Any],
    initializer: Callable[..., object] | None,
    initargs: tuple[Any, ...],
    child_of: int | None,
) -> None:
    """Answer calls until the worker asks to end or has ended; the body of the process."""
    _leave_termination_to_the_worker()
    worker = multiprocessing.parent_process()
    if worker is not None:
        threading.Thread(target=_end_with_the_worker, args=(worker.sentinel, child_of), daemon=True).start()
    unable = _initialize(initializer, initargs)
    with suppress(EOFError, OSError):  # the worker is gone
        while (payload := calls.recv_bytes()) != _LEAVE:
            calls.send_bytes(unable or _answer(payload))
            if unable:
                return


def _leave_termination_to_the_worker() -> None:
    # Ctrl-C and a service's stop signal every process; the worker is who lets handlers finish, or kills.
    # A handler that does nothing, because what is ignored would be ignored by the programs that are started here too.
    for signum in _TERMINATION:
        signal.signal(signum, _do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _TERMINATION)


def _do_nothing(signum: int, frame: FrameType | None) -> None:
    pass


def _end_with_the_worker(sentinel: int, child_of: int | None) -> None:
    # Processes forked later hold the other end of the sentinel open too, but not the parentage.
    while not wait([sentinel], _GLANCE) and child_of in (None, os.getppid()):
        pass
    os._exit(1)


def _initialize(initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> bytes | None:
    """Return None, or what every call is answered where the process cannot be made ready."""
    try:
        if initializer is not None:
            initializer(*initargs)
    except BaseException as error:
        died = ProcessDiedError(f"the process of the handler ended because its initializer raised {describe(error)}")
        died.add_note(traceback.format_exc())
        return pickle.dumps((_Answer.UNABLE, died))
    return None


def _answer(payload: bytes) -> bytes:
    try:
        fn, args, kwargs = pickle.loads(payload)  # noqa: S301  from the worker that started this process
        return pickle.dumps((_Answer.RETURNED, fn(*args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:  # SystemExit of a handler fails its attempt, not this process
        return pickle.dumps((_Answer.RAISED, RemoteError.of(error)))

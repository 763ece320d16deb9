"""The processes that run handlers."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from pgflow.worker.failures import RemoteError
from pgflow.worker.handler_process import HandlerProcess, Recipe
from pgflow.worker.threads import HandlerThreads

__all__ = ["HandlerProcesses"]

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that `shutdown` waits for calls under way before it kills their processes.
_PATIENCE = 10.0


class HandlerProcesses(Executor):
    """An executor that starts a call at once, in an idle process or a new one.

    Like `HandlerThreads` it has no limit of its own: whoever submits bounds the calls that are wanted. Every process
    runs one call at a time, so one that crashes takes nothing with it but its call, and a call that is not wanted any
    more ends with its process by `kill`. A thread for each process waits for its end; starting one, and pickling what
    it is to do, happens there and delays nobody.

    What a call raises arrives as a ``RemoteError``.
    """

    def __init__(self, keep: int, recipe: Recipe) -> None:
        """Make an executor that keeps ``keep`` idle threads; idle processes are as many as ever ran at a time.

        :raises RuntimeError: if this is such a process itself, and still imports the program that starts workers.
        """
        # The standard library marks a process so while it imports what its parent ran.
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise RuntimeError(
                "a process that was started to run handlers imports the program of its worker and must not start "
                'another: put what starts the worker under `if __name__ == "__main__":`'
            )
        self._recipe = recipe
        self._threads = HandlerThreads(keep)
        self._lock = threading.Lock()
        self._idle: list[HandlerProcess] = []
        self._busy: dict[Future[Any], HandlerProcess] = {}
        #: Those that have to be seen to end.
        self._alive: set[HandlerProcess] = set()
        self._ended = threading.Condition(self._lock)
        self._closed = False
        self._owner = os.getpid()
        # Earlier than multiprocessing's own, which waits for processes that nobody has told to end.
        atexit.register(self.kill_all)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn(*args, **kwargs)`` and return its future.

        :raises RuntimeError: after `shutdown`.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the handler processes were shut down")
            process = self._take()
            self._busy[future] = process
            self._threads.submit(self._run, future, process, fn, args, kwargs)
        return future

    def kill(self, future: Future[Any]) -> bool:
        """Kill the process that runs a call; False if the call has ended."""
        with self._lock:
            process = self._busy.get(future)
            if process is not None:
                process.kill()
            return process is not None

    def kill_all(self) -> None:
        """Take no more calls and kill every process; idempotent."""
        if os.getpid() != self._owner:
            return  # a fork of the worker's process, to which they do not belong
        with self._lock:
            self._closed = True
            for process in self._alive:
                process.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, let idle processes end now and busy ones after their call; idempotent.

        ``wait`` returns when all have ended; those that take too long over it are killed.
        """
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.dismiss()
        for process in idle:
            self._threads.submit(self._see_off, process)
        self._threads.shutdown()
        if wait:
            ends = time.monotonic() + _PATIENCE
            with self._lock:
                self._ended.wait_for(lambda: not self._alive, ends - time.monotonic())
            self.kill_all()
            with self._lock:
                self._ended.wait_for(lambda: not self._alive, _PATIENCE)
        atexit.unregister(self.kill_all)

    def _take(self) -> HandlerProcess:
        while self._idle:
            process = self._idle.pop()
            if process.is_usable:
                return process
            self._threads.submit(self._see_off, process)
        process = HandlerProcess(self._recipe)
        self._alive.add(process)
        return process

    def _run(
        self,
        future: Future[Any],
        process: HandlerProcess,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        result: Any = None
        error: BaseException | None = None
        wanted = future.set_running_or_notify_cancel()
        if wanted:
            try:
                result = process.call(fn, args, kwargs)
            except RemoteError as raised:
                error = raised.with_traceback(None)  # it has the handler's own; the frames here tell nothing
            except BaseException as raised:
                error = raised
        # Before the future is told: whoever waits for it may submit the next call at once.
        kept = self._give_back(future, process)
        if error is not None:
            future.set_exception(error)
        elif wanted:
            future.set_result(result)
        del future, result, error, fn, args, kwargs  # not kept while the process ends
        if not kept:
            self._see_off(process)

    def _give_back(self, future: Future[Any], process: HandlerProcess) -> bool:
        with self._lock:
            del self._busy[future]
            kept = not self._closed and process.is_usable
            if kept:
                self._idle.append(process)
        return kept

    def _see_off(self, process: HandlerProcess) -> None:
        process.dismiss()
        process.join()
        with self._lock:
            self._alive.discard(process)
            self._ended.notify_all()

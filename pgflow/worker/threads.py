"""The threads that run handlers, and the threads of the worker itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

__all__ = ["HandlerThreads", "spawn"]

P = ParamSpec("P")
T = TypeVar("T")

_Call = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def spawn(name: str, target: Callable[[], None], on_crash: Callable[[str, BaseException], None]) -> threading.Thread:
    """Start ``target`` on a daemon thread; an exception that leaves it is told to ``on_crash``, never lost."""

    def main() -> None:
        try:
            target()
        except BaseException as error:
            on_crash(name, error)

    thread = threading.Thread(target=main, name=f"pgflow-{name}", daemon=True)
    thread.start()
    return thread


class HandlerThreads(Executor):
    """An executor that starts a call at once, on an idle thread or a new one.

    It has no limit of its own: whoever submits bounds the calls that are wanted, and a thread that hangs in a call
    nobody waits for any more takes no place from the next. ``keep`` idle threads stay for later. They are daemons,
    so that a call that never ends cannot keep the process alive.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        #: Threads that wait for a call, less the calls that wait for them.
        self._idle = 0
        self._started = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn(*args, **kwargs)`` and return its future.

        :raises RuntimeError: after `shutdown`.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the handler threads were shut down")
            self._calls.put((future, fn, args, kwargs))
            if self._idle:
                self._idle -= 1
                return future
            self._started += 1
            name = f"pgflow-handler-{self._started}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Let idle threads end now and busy ones after their call; idempotent, and it never waits for a call."""
        with self._lock:
            self._closed = True
            for _ in range(self._idle):
                self._calls.put(None)
            self._idle = 0

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            _run(*call)
            del call
            with self._lock:
                if self._closed or self._idle >= self._keep:
                    return
                self._idle += 1


def _run(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # SystemExit of a handler fails its attempt, not this thread
        future.set_exception(error)
    else:
        future.set_result(result)

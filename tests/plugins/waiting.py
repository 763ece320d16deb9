"""Waiting in tests: for a condition and never for time to pass, and no longer than something certain can take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds after which something that is certain to come is given up."""


def until(condition: Callable[[], object], what: str = "the condition", *, timeout: float = DEADLINE) -> None:
    """Return as soon as a condition holds; fail the test, naming it, if it never does."""
    pause = threading.Event()
    ends = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < ends, f"{what} did not come to hold within {timeout:g} s"
        pause.wait(0.002)


@contextmanager
def meanwhile(call: Callable[[], T]) -> Iterator[Future[T]]:
    """Run a call in another thread during the block; its future is the block's to ask, and ended when it ends."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    # A daemon: where the block fails, what it did not bring about is not waited for.
    threading.Thread(target=run, daemon=True).start()
    yield future
    future.exception(DEADLINE)

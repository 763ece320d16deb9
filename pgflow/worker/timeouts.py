"""Ends attempts whose time is up, whatever their handlers do."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from attrs import define, field

from pgflow.worker.inflight import Attempt, InFlight

__all__ = ["Timeouts"]


@define(eq=False)
class Timeouts:
    """One thread that waits for the earliest deadline of the running attempts.

    It looks at what runs instead of keeping a schedule, so that an attempt that ended in time leaves nothing behind.
    It never touches the database: a server that does not answer delays no timeout.
    """

    _inflight: InFlight
    _expire: Callable[[Attempt], None]
    _next: float = field(default=math.inf, init=False)
    _wake: threading.Event = field(factory=threading.Event, init=False)
    _stopping: bool = field(default=False, init=False)

    def watch(self, attempt: Attempt) -> None:
        """Mind the deadline of an attempt that has begun."""
        if attempt.ends < self._next:
            self._wake.set()

    def run(self) -> None:
        """Expire attempts until `stop`; the body of the thread."""
        while not self._stopping:
            self._wake.clear()
            # Until the new value is known every attempt counts as earlier, or one that begins meanwhile were missed.
            self._next = math.inf
            now = time.monotonic()
            earliest = math.inf
            for attempt in self._inflight.running():
                if attempt.ends <= now:
                    self._expire(attempt)
                else:
                    earliest = min(earliest, attempt.ends)
            self._next = earliest
            self._wake.wait(min(earliest - now, threading.TIMEOUT_MAX))

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping = True
        self._wake.set()

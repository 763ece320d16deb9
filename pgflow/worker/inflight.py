"""The attempts that a worker holds, and how many more it may start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from attrs import define, evolve, field

from pgflow.models import Failure, Json, Release, Report, TaskRecord
from pgflow.worker.context import Context, Transacted
from pgflow.worker.steps import KnownStep

__all__ = ["Attempt", "InFlight"]

#: With so many results on their way nothing more is begun: handlers can be faster than their reports for long.
_MOST_UNREPORTED = 1_000


@define(eq=False)
class Attempt:
    """A claimed task on its way through a worker."""

    record: TaskRecord
    step: KnownStep
    context: Context
    #: When it times out, by the monotonic clock.
    ends: float
    future: Future[Json | Transacted] | None = None
    #: What is to be reported; set by `InFlight.settle`.
    report: Report | None = None
    #: Another attempt has taken the task, or its run is over.
    lost: bool = False
    #: It timed out, but its handler goes on.
    stuck: bool = False

    @property
    def name(self) -> str:
        """How messages call it."""
        record = self.record
        return f"{record.flow_slug}.{record.step_slug}[{record.task_index}] of run {record.run_id}"

    @property
    def count(self) -> str:
        """Which attempt it is: ``attempt 1 of 3``."""
        of = "" if self.step.max_attempts is None else f" of {self.step.max_attempts}"
        return f"attempt {self.record.attempts_count}{of}"


@define(eq=False)
class InFlight:
    """The attempts that run, and those that have ended but are not reported yet, neither without bounds.

    An attempt leaves the running ones exactly once: by its result, its timeout, or a hand-back. Whoever settles it
    first decides; whoever comes later is told.
    """

    limit: int
    #: Called when a place is free again after `free` found none.
    on_free: Callable[[], object] = field(default=lambda: None)
    _running: set[Attempt] = field(factory=set, init=False)
    _unreported: set[Attempt] = field(factory=set, init=False)
    _blocked: int = field(default=0, init=False)
    _awaited: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _changed: threading.Condition = field(init=False)

    @_changed.default
    def _condition(self) -> threading.Condition:
        return threading.Condition(self._lock)

    def free(self) -> int:
        """Return how many attempts may start now; after a 0, `on_free` is called as soon as one may."""
        with self._lock:
            free = self.limit - len(self._running) - self._blocked
            if len(self._unreported) >= _MOST_UNREPORTED:
                free = 0
            self._awaited = free <= 0
            return max(free, 0)

    def begin(self, attempt: Attempt) -> None:
        """Take a place."""
        with self._lock:
            self._running.add(attempt)

    def forget(self, attempt: Attempt) -> None:
        """Give the place of an attempt back that could not be started after all."""
        with self._lock:
            self._running.discard(attempt)

    def adopt(self, record: TaskRecord) -> bool:
        """Give a newer claim to the attempt at the same task that is held here, if there is one.

        After an outage that outlasted the lease a worker can be given what it is still running, or has done but not
        reported: that attempt goes on, or its result is reported, under the newer token. A failed attempt is followed
        by another in the ordinary way, which may be claimed before the answer to its report is read; and one that was
        lost to another worker in between was told to stop. Those are left alone.
        """
        task = (record.run_id, record.step_slug, record.task_index)
        with self._lock:
            for attempt in (*self._running, *self._unreported):
                held = attempt.record
                if attempt.lost or isinstance(attempt.report, (Failure, Release)):
                    continue
                if task == (held.run_id, held.step_slug, held.task_index):
                    attempt.record = record
                    if attempt.report is not None:
                        attempt.report = evolve(attempt.report, key=record.key)
                    return True
            return False

    def settle(self, attempt: Attempt, report: Report) -> bool:
        """End a running attempt with ``report`` and free its place; False if it has ended before.

        The task stays held until it is `reported`.
        """
        with self._lock:
            if attempt not in self._running:
                return False
            self._running.discard(attempt)
            adopted = report.key.token != attempt.record.token
            attempt.report = evolve(report, key=attempt.record.key) if adopted else report
            self._unreported.add(attempt)
        self._freed()
        return True

    def settle_reported(self, attempt: Attempt) -> bool:
        """End a running attempt whose result the engine has, and free its place; False if it has ended before."""
        with self._lock:
            if attempt not in self._running:
                return False
            self._running.discard(attempt)
            if not self._unreported and not self._running:
                self._changed.notify_all()
        self._freed()
        return True

    def hand_back(self) -> list[Attempt]:
        """End every running attempt without a report, and return them."""
        with self._lock:
            running = list(self._running)
            self._running.clear()
            self._changed.notify_all()
            return running

    def reported(self, attempts: Sequence[Attempt], sent: Sequence[Report | None]) -> list[Attempt]:
        """Let go of attempts whose reports the engine was sent; return those that got a newer claim meanwhile."""
        renewed = []
        with self._lock:
            for attempt, report in zip(attempts, sent, strict=True):
                if attempt.report is report:
                    self._unreported.discard(attempt)
                else:
                    renewed.append(attempt)
            if not self._unreported and not self._running:
                self._changed.notify_all()
        self._freed()
        return renewed

    def block(self, places: int) -> None:
        """Take places away that a hanging call occupies in an executor of fixed size, or give them back."""
        with self._lock:
            self._blocked += places
        if places < 0:
            self._freed()

    def running(self) -> list[Attempt]:
        """Return the attempts whose handlers run."""
        with self._lock:
            return list(self._running)

    def held(self) -> list[Attempt]:
        """Return the attempts whose tasks are ours: they run, or are not reported yet."""
        with self._lock:
            return [*self._running, *self._unreported]

    def is_running(self, attempt: Attempt) -> bool:
        """Return whether nothing has ended this attempt yet."""
        with self._lock:
            return attempt in self._running

    def wait_until_idle(self, timeout: float | None) -> bool:
        """Wait until nothing runs and everything is reported; False if that took longer than ``timeout`` seconds."""
        with self._lock:
            return self._changed.wait_for(lambda: not self._running and not self._unreported, timeout)

    @property
    def unreported(self) -> int:
        """How many attempts have ended without the engine's knowing."""
        with self._lock:
            return len(self._unreported)

    def _freed(self) -> None:
        with self._lock:
            awaited, self._awaited = self._awaited, False
        if awaited:
            self.on_free()

"""The threads of a worker, and the order in which they start and stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from uuid import UUID

from attrs import define, field

from pgflow.abc import TaskProcessor
from pgflow.models import TaskRecord
from pgflow.worker.claimer import Claimer
from pgflow.worker.database import HandlerDatabase
from pgflow.worker.executors import stop_call
from pgflow.worker.inflight import Attempt, InFlight
from pgflow.worker.outages import Health, words_of
from pgflow.worker.outcome import Outcome
from pgflow.worker.reporter import Reporter
from pgflow.worker.runner import Runner
from pgflow.worker.steps import KnownStep
from pgflow.worker.threads import spawn
from pgflow.worker.timeouts import Timeouts
from pgflow.worker.upkeep import Upkeep

__all__ = ["Crew"]

logger = logging.getLogger("pgflow.worker")

#: Seconds beyond the grace period for the last reports and for threads to end.
_LAST_REPORTS = 5.0


@define(eq=False)
class Crew:
    """One thread each that claims, reports, minds the timeouts and keeps the leases; handlers run on the executor."""

    _processor: TaskProcessor
    _worker_id: UUID
    _steps: Mapping[tuple[str, str], KnownStep]
    _flow_slugs: Sequence[str]
    _executor: Executor
    _concurrency: int
    _lease: float
    #: Notes that the worker lives.
    _register: Callable[[], None]
    #: Called with the thread's name and the error if one of the threads dies.
    _on_crash: Callable[[str, BaseException], None]
    health: Health = field(factory=Health, init=False)
    inflight: InFlight = field(init=False)
    runner: Runner = field(init=False)
    claimer: Claimer = field(init=False)
    _reporter: Reporter = field(init=False)
    _timeouts: Timeouts = field(init=False)
    _upkeep: Upkeep = field(init=False)
    _threads: dict[str, threading.Thread] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        health = self.health
        self.inflight = InFlight(self._concurrency)
        self.claimer = Claimer(
            self._processor,
            self._flow_slugs,
            self._worker_id,
            self._lease,
            health.link("claiming tasks"),
            self.inflight,
            self._begin,
        )
        self.inflight.on_free = partial(self.claimer.wake, due_changed=False)
        self._reporter = Reporter(self._processor, self.inflight, health.link("reporting"), self.claimer.wake)
        self.runner = Runner(
            self._steps, self._executor, self.inflight, self._reporter, HandlerDatabase(self._processor)
        )
        self._timeouts = Timeouts(self.inflight, self.runner.expire)
        self._upkeep = Upkeep(
            self._processor,
            self.inflight,
            self._worker_id,
            self._lease,
            self._register,
            health.link("extending leases"),
        )

    def start(self) -> None:
        """Begin to work."""
        for name, target in {
            "report": self._reporter.run,
            "timeouts": self._timeouts.run,
            "upkeep": self._upkeep.run,
            "claim": self.claimer.run,
        }.items():
            self._threads[name] = spawn(name, target, self._on_crash)

    def stop(self, grace: float) -> Outcome:
        """Claim nothing more, let handlers finish for ``grace`` seconds, report them, and hand back the rest."""
        ends = time.monotonic() + grace
        self.claimer.stop()
        self._tell_to_stop()
        self._join("claim", ends)
        self._tell_to_stop()  # what was begun meanwhile
        self.inflight.wait_until_idle(max(ends - time.monotonic(), 0))
        handed_back = self._hand_back()

        ends = time.monotonic() + _LAST_REPORTS
        self._reporter.finish()
        self._join("report", ends)
        self.abandon()
        for name in self._threads:
            self._join(name, ends)
        unreported = self.inflight.unreported
        if unreported:
            logger.error("%d results could not be reported; their tasks run again when the leases end", unreported)
        return Outcome(handed_back, unreported)

    def abandon(self) -> None:
        """Tell every thread to end, and wait for none."""
        self.claimer.stop()
        self._timeouts.stop()
        self._upkeep.stop()
        self._reporter.give_up()
        self._reporter.finish()

    def _begin(self, record: TaskRecord, claimed_at: float) -> bool:
        is_first_claim = record.token == 1
        if not is_first_claim and self.inflight.adopt(record):
            return False
        attempt = self.runner.begin(record, claimed_at)
        self._timeouts.watch(attempt)
        return attempt.step.feeds_others

    def _tell_to_stop(self) -> None:
        for attempt in self.inflight.running():
            attempt.context._cancel()

    def _hand_back(self) -> int:
        attempts = self.inflight.hand_back()
        if not attempts:
            return 0
        for attempt in attempts:
            attempt.context._cancel()
            if attempt.future is not None and not stop_call(self._executor, attempt.future):
                attempt.future.cancel()
        self._release(attempts)
        return len(attempts)

    def _release(self, attempts: Sequence[Attempt]) -> None:
        try:
            # Asked even where some part last met an outage: it may be over, and the leases may be long.
            self._processor.release_tasks([attempt.record.key for attempt in attempts])
            logger.warning("%d tasks did not finish in time and were handed back", len(attempts))
        except Exception as error:
            logger.warning(
                "%d tasks did not finish in time and could not be handed back, they run again when the leases end: %s",
                len(attempts),
                words_of(error),
            )

    def _join(self, name: str, ends: float) -> None:
        thread = self._threads.get(name)
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(ends - time.monotonic(), 0))

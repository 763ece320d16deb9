"""Runs handlers on an executor and settles how their attempts ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError, Executor, Future
from functools import partial

from attrs import define, field

from pgflow.models import Completion, Failure, Json, Release, Report, TaskKey, TaskRecord
from pgflow.worker.context import Context, Transacted
from pgflow.worker.database import HandlerDatabase
from pgflow.worker.executors import start_call, stop_call
from pgflow.worker.failures import failure_of, is_planned
from pgflow.worker.inflight import Attempt, InFlight
from pgflow.worker.reporter import Reporter
from pgflow.worker.steps import KnownStep, step_of
from pgflow.worker.threads import HandlerThreads

__all__ = ["Runner"]

logger = logging.getLogger("pgflow.worker")


@define(eq=False)
class Runner:
    """Starts claimed tasks and hands every end to the reporter, the first end of each attempt only."""

    _steps: Mapping[tuple[str, str], KnownStep]
    _executor: Executor
    _inflight: InFlight
    _reporter: Reporter
    _database: HandlerDatabase
    _stuck: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def stuck(self) -> int:
        """How many handlers go on although their attempts have timed out."""
        return self._stuck

    def begin(self, record: TaskRecord, claimed_at: float) -> Attempt:
        """Start one task whose lease began at ``claimed_at`` of the monotonic clock.

        :raises RuntimeError: where the executor takes no more calls; nothing has begun then.
        """
        step = step_of(record, self._steps)
        context = Context(
            record,
            timeout=step.timeout - (time.monotonic() - claimed_at),
            structure=step.load_run_input,
            database=self._database,
        )
        attempt = Attempt(record, step, context, claimed_at + step.timeout)
        self._inflight.begin(attempt)
        try:
            attempt.future = start_call(self._executor, attempt)
        except BaseException:
            self._inflight.forget(attempt)
            raise
        attempt.future.add_done_callback(partial(self._ended, attempt))
        return attempt

    def expire(self, attempt: Attempt) -> None:
        """Fail an attempt whose time is up. A process is killed; a thread can only be told."""
        seconds = attempt.step.timeout
        if not self._inflight.settle(attempt, Failure(attempt.record.key, f"timed out after {seconds} s")):
            return
        future = attempt.future
        if future is not None and not stop_call(self._executor, future):
            self._count_as_stuck(attempt, future)
        logger.warning(
            "%s timed out after %d s (%s); handlers that go on after their time: %d",
            attempt.name,
            seconds,
            attempt.count,
            self._stuck,
        )
        attempt.context._cancel()
        self._reporter.put(attempt)

    def _count_as_stuck(self, attempt: Attempt, future: Future[Json | Transacted]) -> None:
        with self._lock:
            if not future.done():  # else its end has been noted already, or will find nothing to take back
                attempt.stuck = True
                self._stuck += 1
                self._inflight.block(self._places_of_a_stuck_call)

    @property
    def _places_of_a_stuck_call(self) -> int:
        # Our own threads make room for the next call; an executor of fixed size has one place less until it ends.
        return 0 if isinstance(self._executor, HandlerThreads) else 1

    def _ended(self, attempt: Attempt, future: Future[Json | Transacted]) -> None:
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None and future.result() is Transacted.COMMITTED:
            settled = self._inflight.settle_reported(attempt)
            if settled:
                self._reporter.note(attempt)
        else:
            report = _report_of(attempt.record.key, future, error)
            settled = self._inflight.settle(attempt, report)
            if settled:
                if error is not None and isinstance(report, Failure):
                    _log_failure(attempt, report, error)
                self._reporter.put(attempt)
        if settled:
            return
        if not future.cancelled():
            logger.info("%s: the handler has ended after its attempt, the result is discarded", attempt.name)
        with self._lock:
            if attempt.stuck:
                attempt.stuck = False
                self._stuck -= 1
                self._inflight.block(-self._places_of_a_stuck_call)


def _report_of(key: TaskKey, future: Future[Json | Transacted], error: BaseException | None) -> Report:
    if error is not None:
        return failure_of(key, error)
    result = future.result()
    if isinstance(result, Transacted):
        # Undone, and if the claim is ours still or again, the task can be run again at once.
        return Release(key)
    return Completion(key, result)


def _log_failure(attempt: Attempt, report: Failure, error: BaseException) -> None:
    limit = attempt.step.max_attempts
    is_last = limit is not None and attempt.record.attempts_count >= limit
    final = ", the last one" if is_last else ", for good" if report.permanent else ""
    logger.log(
        logging.ERROR if final else logging.WARNING,
        "%s failed (%s%s): %s",
        attempt.name,
        attempt.count,
        final,
        report.error_message,
        exc_info=None if is_planned(error) else error,
    )

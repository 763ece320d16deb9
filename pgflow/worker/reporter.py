"""Reports what has ended, in batches formed by what arrived during the last round trip."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from attrs import define, field

from pgflow.abc import TaskProcessor
from pgflow.models import Completion, Failure, Release, TaskKey
from pgflow.worker.inflight import Attempt, InFlight
from pgflow.worker.outages import Link, blames_data, words_of

__all__ = ["Reporter"]

logger = logging.getLogger("pgflow.worker")

_LARGEST_BATCH = 500


@define(eq=False)
class Reporter:
    """One thread that tells the engine how attempts ended.

    It never waits for a batch to fill: while one report is under way the next ones gather. A database error says
    nothing about the handlers: their results are kept and sent again until the database has answered. Only an error
    that is about the data itself is a verdict, and on the one result that caused it.
    """

    _processor: TaskProcessor
    _inflight: InFlight
    _link: Link
    #: Called after a report that may have made tasks, or changed when the next one is due; True asks for the latter.
    _on_progress: Callable[[bool], None]
    _ended: SimpleQueue[Attempt | None] = field(factory=SimpleQueue, init=False)
    _given_up: threading.Event = field(factory=threading.Event, init=False)

    def put(self, attempt: Attempt) -> None:
        """Have a settled attempt reported; returns at once."""
        self._ended.put(attempt)

    def note(self, attempt: Attempt) -> None:
        """Hear of a result that the engine has already."""
        if attempt.step.feeds_others:
            self._on_progress(False)

    def run(self) -> None:
        """Report until `finish`; the body of the reporter's thread."""
        while (first := self._ended.get()) is not None:
            batch = [first]
            last = self._gather(batch)
            self._report(batch)
            del first, batch  # results are not kept while nothing is reported
            if last:
                return

    def finish(self) -> None:
        """Let `run` return after what was put so far."""
        self._ended.put(None)

    def give_up(self) -> None:
        """Let `run` return without what the database does not take now."""
        self._given_up.set()

    def _gather(self, batch: list[Attempt]) -> bool:
        try:
            while len(batch) < _LARGEST_BATCH:
                attempt = self._ended.get_nowait()
                if attempt is None:
                    return True
                batch.append(attempt)
        except Empty:
            pass
        return False

    def _report(self, batch: list[Attempt]) -> None:
        try:
            self._send(batch)
            return
        except Exception as error:
            if blames_data(error):
                logger.debug("a batch of %d reports was refused, sending them one by one", len(batch), exc_info=error)
                self._link.succeeded()  # it did answer
            else:
                self._given_up.wait(self._link.failed(error))
        # One by one after an outage too: a single report that breaks the connection must not hold up the others.
        for attempt in batch:
            self._report_alone(attempt)

    def _report_alone(self, attempt: Attempt) -> None:
        while not self._given_up.is_set():
            try:
                self._send([attempt], again=True)
                return
            except Exception as error:
                if not blames_data(error):
                    self._given_up.wait(self._link.failed(error))
                elif not self._condemn(attempt, error):
                    return

    def _condemn(self, attempt: Attempt, error: Exception) -> bool:
        """Turn a report that the database cannot store into a permanent failure; False if it is one already."""
        self._link.succeeded()
        message = f"the result cannot be stored: {words_of(error)}"
        verdict = Failure(attempt.record.key, message, permanent=True)
        if isinstance(attempt.report, Failure) and attempt.report.permanent:
            logger.error("%s: its failure cannot be stored and is left to the lease", attempt.name, exc_info=error)
            self._inflight.reported([attempt], [attempt.report])
            return False
        logger.error("%s: %s", attempt.name, message)
        attempt.report = verdict
        return True

    def _send(self, batch: list[Attempt], *, again: bool = False) -> None:
        reports = [attempt.report for attempt in batch]
        completions = [report for report in reports if isinstance(report, Completion)]
        failures = [report for report in reports if isinstance(report, Failure)]
        releases = [report.key for report in reports if isinstance(report, Release)]
        # A batch of several kinds is a statement each; one that fails repeats those before, which change nothing then.
        ignored = self._processor.complete_tasks(completions) if completions else []
        if failures:
            ignored = [*ignored, *self._processor.fail_tasks(failures)]
        if releases:
            ignored = [*ignored, *self._processor.release_tasks(releases)]
        self._link.succeeded()
        if ignored:
            _log_ignored(batch, ignored, again)
        for attempt in self._inflight.reported(batch, reports):
            self.put(attempt)  # claimed anew while this was under way: its result goes with the newer claim
        if failures or releases:
            self._on_progress(True)
        elif any(a.step.feeds_others for a in batch):
            self._on_progress(False)


def _log_ignored(batch: list[Attempt], ignored: list[TaskKey], again: bool) -> None:
    keys = set(ignored)
    for attempt in batch:
        if attempt.record.key in keys:
            # A report that is sent again may have been taken the first time.
            level = logging.DEBUG if again else logging.INFO
            logger.log(level, "%s: the result came too late and was ignored by the engine", attempt.name)

"""Keeps what a worker holds its own: extends leases, and tells that the worker lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

from attrs import define, field

from pgflow.abc import TaskProcessor
from pgflow.worker.inflight import InFlight
from pgflow.worker.outages import Link

__all__ = ["Upkeep"]

logger = logging.getLogger("pgflow.worker")

_HEARTBEAT = 7.0


@define(eq=False)
class Upkeep:
    """One thread that extends all leases in one statement each third of a lease, and sends the heartbeat.

    An attempt is held until it is reported, but never past its timeout; one that the engine says is lost is let go,
    and its handler is told to stop.
    """

    _processor: TaskProcessor
    _inflight: InFlight
    _worker_id: UUID
    _lease: float
    #: Notes that the worker lives, where its heartbeat finds that it has been forgotten.
    _register: Callable[[], None]
    _link: Link
    _stopped: threading.Event = field(factory=threading.Event, init=False)

    def run(self) -> None:
        """Extend and beat until `stop`; the body of the thread."""
        extend_every = self._lease / 3
        extend_at = time.monotonic() + extend_every
        beat_at = time.monotonic() + _HEARTBEAT
        pause = 0.0
        while not self._stopped.wait(pause or min(extend_at, beat_at) - time.monotonic()):
            try:
                # What was due during an outage is done at its end, leases first.
                if time.monotonic() >= extend_at:
                    self.extend()
                    extend_at = time.monotonic() + extend_every
                if time.monotonic() >= beat_at:
                    self.beat()
                    beat_at = time.monotonic() + _HEARTBEAT
                self._link.succeeded()
                pause = 0.0
            except Exception as error:
                pause = self._link.failed(error)

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped.set()

    def beat(self) -> None:
        """Tell that the worker lives, as if anew to a database that knows nothing of it any more."""
        if not self._processor.heartbeat_worker(self._worker_id):
            logger.info("worker %s had been forgotten and registers again", self._worker_id)
            self._register()

    def extend(self) -> None:
        """Extend the leases of everything held."""
        now = time.monotonic()
        held = {a.record.key: a for a in self._inflight.held() if a.ends > now and not a.lost}
        if not held:
            return
        for key in self._processor.extend_leases(list(held), lease=self._lease):
            attempt = held.get(key)
            # One that has ended meanwhile may just have been reported: then nothing was lost.
            if attempt is not None and self._inflight.is_running(attempt):
                attempt.lost = True
                logger.warning("%s: another worker has taken it, or its run is over", attempt.name)
                attempt.context._cancel()

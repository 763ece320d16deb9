"""Claims tasks for free places, and sleeps while there are none of either."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from attrs import define, field

from pgflow.abc import TaskProcessor
from pgflow.models import TaskRecord
from pgflow.worker.inflight import InFlight
from pgflow.worker.outages import Link

__all__ = ["Claimer"]

logger = logging.getLogger("pgflow.worker")

T = TypeVar("T")

#: The first pause after the worker has said that it sleeps; it doubles from one empty claim to the next.
_FIRST_PAUSE = 0.01
#: The longest sleep without looking, whatever is due.
_LONGEST_SLEEP = 15.0
#: How long a message that is due may be on its way to another worker, before we ask again when it is due next.
_UNTIL_TAKEN = 1.0
#: How often to see whether the other parts have found the database back.
_GLANCE = 0.05
#: How long to wait after a claim for what our own reports make: in a chain that is the next task.
_LINGER = 0.002


@define(eq=False)
class Claimer:
    """One thread that keeps the free places filled.

    A claim asks for what can start now and never waits in the database. After one that left a place free, the worker
    marks itself as asleep, so that senders notify it, and learns when the next message is due. A sender whose
    transaction was open meanwhile has not seen the mark: so the worker claims again at once and with growing pauses,
    until it is woken, a message is due, or it is time to mark itself again. Nothing waits for longer than the pause.
    """

    _processor: TaskProcessor
    _flow_slugs: Sequence[str]
    _worker_id: UUID
    _lease: float
    _link: Link
    _inflight: InFlight
    #: Starts a claimed task whose lease began at a monotonic time; True if its end can make another task.
    _begin: Callable[[TaskRecord, float], bool]
    _wake: threading.Event = field(factory=threading.Event, init=False)
    _stopping: bool = field(default=False, init=False)
    #: Whether what is known of the queues may be outdated: they were notified, or we changed what is due.
    _stale: bool = field(default=False, init=False)
    #: Until when senders notify us, and when the next message is due, by the monotonic clock.
    _marked_until: float = field(default=-math.inf, init=False)
    _due: float = field(default=math.inf, init=False)
    _pause: float = field(default=_FIRST_PAUSE, init=False)

    def wake(self, due_changed: bool = True) -> None:
        """Have the queues looked at now; from any thread.

        ``due_changed`` says that the next message may be due at another time than we know.
        """
        if due_changed:
            self._stale = True
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return; what a claim under way still brings is handed back."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Claim until `stop`; the body of the claimer's thread."""
        while True:
            # Cleared before anything is looked at: what happens from here on ends the next wait at once.
            self._wake.clear()
            if self._stopping:
                self._link.ended()  # or a claim that failed would keep what runs from being handed back
                return
            if self._stale:
                self._stale = False
                self._forget_mark()
                self._pause = _FIRST_PAUSE
            places = self._inflight.free()
            if places == 0:
                self._wake.wait()
            elif self._link.must_wait:
                # Results and leases first: a claim could take what this worker has done, but not reported, anew.
                self._wake.wait(_GLANCE)
            else:
                self._fill(places)

    def _fill(self, places: int) -> None:
        # The engine shares the places out evenly; whoever comes first gets what cannot be shared.
        self._flow_slugs = [*self._flow_slugs[1:], self._flow_slugs[0]]
        claimed_at = time.monotonic()
        records = self._ask(partial(self._claim, places))
        if records is None:
            return
        if not records and time.monotonic() < self._marked_until:
            self._sleep()
            return
        if records:
            more_to_come = self._start(records, claimed_at)
            self._forget_mark()  # a claim that brings something takes the mark away
            self._pause = _FIRST_PAUSE
            if len(records) == places or (more_to_come and self._wake.wait(_LINGER)):
                return
        self._ask(self._mark)

    def _ask(self, call: Callable[[], T]) -> T | None:
        """Return what the database answers; None after a pause if it does not."""
        try:
            answer = call()
        except Exception as error:
            self._forget_mark()
            self._wait_in_outage(self._link.failed(error))
            return None
        self._link.succeeded()
        return answer

    def _claim(self, places: int) -> list[TaskRecord]:
        return self._processor.poll_for_tasks(
            self._flow_slugs, qty=places, lease=self._lease, worker_id=self._worker_id
        )

    def _start(self, records: list[TaskRecord], claimed_at: float) -> bool:
        more_to_come = False
        for position, record in enumerate(records):
            try:
                if self._stopping:
                    self._hand_back(records[position:])
                    return False
                more_to_come = self._begin(record, claimed_at) or more_to_come
            except BaseException:
                self._hand_back(records[position:])
                raise
        return more_to_come

    def _hand_back(self, records: Sequence[TaskRecord]) -> None:
        try:
            self._processor.release_tasks([record.key for record in records])
        except Exception:
            logger.warning("%d tasks could not be handed back; they wait for the end of their lease", len(records))

    def _mark(self) -> None:
        sleep = min(self._lease, _LONGEST_SLEEP)
        # The mark outlasts the sleep, so that it is renewed before it ends.
        due_in = self._processor.sleep_on_queues(self._worker_id, self._flow_slugs, seconds=2 * sleep)
        now = time.monotonic()
        # What is due and was not to be had is about to be another's, and hides from us what is due after it.
        self._marked_until = now + (min(sleep, _UNTIL_TAKEN) if due_in == 0 else sleep)
        self._due = math.inf if due_in is None else now + due_in

    def _forget_mark(self) -> None:
        self._marked_until = -math.inf

    def _sleep(self) -> None:
        now = time.monotonic()
        # What was due before this claim and did not come with it is not ours to have: no reason to hurry.
        due = self._due if self._due > now else math.inf
        until = min(now + self._pause, due, self._marked_until)
        if self._wake.wait(until - now):
            return
        if until == due:
            self._forget_mark()
            self._pause = _FIRST_PAUSE
        else:
            self._pause = min(2 * self._pause, _LONGEST_SLEEP)

    def _wait_in_outage(self, seconds: float) -> None:
        # Notifications mean nothing while the database does not answer; only a stop ends the pause early.
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self._wake.clear()
            if self._stopping:
                return
            self._wake.wait(left)

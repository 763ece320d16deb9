"""Following one run for all who look at it in this process: callers that block, iterators, and receivers.

A run is subscribed to while anybody is interested. Every event enters the log of its state once; those who block are
then woken, on the listener's thread, as receivers of the watch's own blinker signal; receivers of users are called from
the dispatch thread.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from blinker import Signal

from pgflow._fork import forget_after_fork
from pgflow.abc import Client, FlowRunView, Subscription
from pgflow.client.dispatch import dispatcher
from pgflow.client.state import RunState
from pgflow.errors import RunNotCommittedError, UnknownRunError, WaitTimeoutError
from pgflow.events import Event
from pgflow.models import RunSnapshot

if TYPE_CHECKING:
    from pgflow.engine.borrowed import Borrowed

__all__ = ["Receiver", "RunWatch", "Waiter"]

logger = logging.getLogger(__name__)


@define(eq=False)
class Waiter:
    """A blocked caller, as a receiver of its run's signal."""

    #: What the caller waits for, as the message names it.
    _what: str
    _timeout: float | None
    _began: float
    _woken: threading.Event = field(factory=threading.Event, init=False)
    _error: Exception | None = field(default=None, init=False)

    def __call__(self, sender: RunWatch, *, error: Exception | None = None) -> None:
        """Wake the caller, which looks for itself whether it has what it waits for."""
        self._error = self._error or error
        self._woken.set()

    def wait(self, beat: float | None = None) -> bool:
        """Block until something has happened; what cannot be waited for any longer is raised.

        With ``beat``, a time of the monotonic clock, it returns False if nothing has happened until then.
        """
        ends = None if self._timeout is None else self._began + self._timeout
        is_last = ends is not None and (beat is None or ends <= beat)
        until = ends if is_last else beat
        # Centuries are as good as infinity, which threads do not take.
        pause = None if until is None else min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX)
        if not self._woken.wait(pause):
            if not is_last:
                return False
            raise WaitTimeoutError(
                f"{self._what} did not come within {self._timeout:g} seconds; the run itself goes on and can be "
                "waited for again"
            )
        self._woken.clear()
        if self._error is not None:
            # Each caller raises one of its own: a traceback belongs to one thread.
            raise copy(self._error) from self._error
        return True


@frozen(eq=False)
class Receiver:
    """A function of the user's and the events that it is for."""

    types: tuple[type[Any], ...]
    #: Called with the event as it travelled; structuring its values is left to it.
    call: Callable[[Event], object]

    def submit(self, event: Event) -> None:
        """Have the function called, if the event is one for it."""
        if isinstance(event, self.types):
            dispatcher.submit(partial(self.call, event))


@define(eq=False)
class RunWatch:
    """A run's state, and everybody who wants to know of it."""

    _connector: Client
    state: RunState
    #: The caller's connection on which the run was started; None once it is known to have committed.
    _borrowed: Borrowed | None = None
    _lock: threading.RLock = field(factory=threading.RLock, init=False)
    _changed: Signal = field(factory=Signal, init=False)
    _receivers: list[Receiver] = field(factory=list, init=False)
    _interest: int = field(default=0, init=False)
    _subscription: Subscription | None = field(default=None, init=False)
    #: What the public signals name; held only while somebody is interested, and with it the client.
    _run: FlowRunView | None = field(default=None, init=False)
    #: How much of the log has gone to receivers.
    _sent: int = field(default=0, init=False)
    #: When somebody last began to read the run from the tables.
    _refreshed_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        forget_after_fork(self)

    def after_fork(self) -> None:
        """Keep what is known; whoever waited or listened did so in the parent."""
        self._lock = threading.RLock()
        self._changed = Signal()
        self._receivers = []
        self._interest = 0
        self._subscription = None
        self._run = None
        self.state.forget_unlogged()

    # For those who want to know

    @contextmanager
    def waiting(
        self, run: FlowRunView, what: str, timeout: float | None, began: float | None = None
    ) -> Iterator[Waiter]:
        """Follow the run within the block, which may wait until ``timeout`` seconds after ``began``, which is now."""
        waiter = Waiter(what, timeout, time.monotonic() if began is None else began)
        with self._lock:
            self._changed.connect(waiter)
        try:
            self._follow(run)
            try:
                yield waiter
            finally:
                self._unfollow()
        finally:
            with self._lock:
                self._changed.disconnect(waiter)

    def connect(self, run: FlowRunView, receiver: Receiver) -> Callable[[], None]:
        """Call a receiver with every event from the run's start to its end; returns what disconnects it."""
        with self._lock:
            self._follow(run)
            for event in self.state.log[: self._sent]:
                receiver.submit(event)
            if self.state.is_over:
                self._unfollow()
            else:
                self._receivers.append(receiver)
        return partial(self._disconnect, receiver)

    def _disconnect(self, receiver: Receiver) -> None:
        with self._lock:
            if receiver in self._receivers:
                self._receivers.remove(receiver)
                self._unfollow()

    def refresh(self, max_age: float = 0.0) -> None:
        """Read the run from the tables, unless somebody has begun to within ``max_age`` seconds.

        :raises RunNotCommittedError: it was started in a transaction that is still open.
        :raises UnknownRunError: there is no such run, or no longer.
        """
        with self._lock:
            now = time.monotonic()
            if now < self._refreshed_at + max_age:
                return
            self._refreshed_at = now
        snapshot = self._connector.get_run_with_states(self.state.run_id)
        if snapshot is None:
            raise self._absence()
        self._borrowed = None
        self.on_snapshot(snapshot)

    def _absence(self) -> Exception:
        run_id = self.state.run_id
        if self._borrowed is None:
            return UnknownRunError(f"there is no run {run_id}; it was deleted")
        if self._borrowed.in_transaction():
            return RunNotCommittedError(run_id, self._borrowed.advice)
        return UnknownRunError(f"there is no run {run_id}: the transaction in which it was started was rolled back")

    def _follow(self, run: FlowRunView) -> None:
        with self._lock:
            if self._borrowed is not None or (self.state.run.status.is_terminal and not self.state.is_over):
                self.refresh()
            self._interest += 1
            self._run = self._run or run
            try:
                if not self.state.is_over and self._subscription is None:
                    self._subscription = self._connector.subscribe(self.state.run_id, self)
            except BaseException:
                self._unfollow()
                raise
            self._advance()

    def _unfollow(self) -> None:
        with self._lock:
            self._interest -= 1
            if self._interest == 0:
                self._end()

    def _end(self) -> None:
        subscription, self._subscription, self._run = self._subscription, None, None
        if subscription is not None:
            subscription.cancel()

    # For the listener

    @property
    def version(self) -> int:
        """How far the run is known to have come."""
        return self.state.version

    def on_snapshot(self, snapshot: RunSnapshot) -> None:
        """Take over what the tables say."""
        with self._lock:
            self.state.apply_snapshot(snapshot)
            self._advance()

    def on_event(self, event: Event) -> None:
        """Take over what has happened."""
        with self._lock:
            self.state.apply_event(event)
            self._advance()

    def on_error(self, error: Exception) -> None:
        """Tell everybody that nothing more will come."""
        with self._lock:
            self._subscription = None
            self._changed.send(self, error=error)
            if self._receivers:
                logger.warning("receivers of run %s hear no more of it: %s", self.state.run_id, error)
            for receiver in list(self._receivers):
                self._disconnect(receiver)

    def _advance(self) -> None:
        # The order matters: those who block first, then the receivers.
        self._changed.send(self)
        if self._run is None:
            return
        while self._sent < len(self.state.log):
            event = self.state.log[self._sent]
            self._sent += 1
            for receiver in self._receivers:
                receiver.submit(event)
            dispatcher.send(event, self._run)
        if self.state.is_over:
            for receiver in list(self._receivers):
                self._disconnect(receiver)
            self._end()

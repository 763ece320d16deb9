"""The listener: one thread and one session connection a connector, however many runs are awaited.

Only the thread touches the connection; a `Waker` interrupts its sleep. Whoever subscribes is listened for first, and
that is committed; then the run is marked as watched, which returns its snapshot; from there on its events come: nothing
can fall between. A lost connection is made again, and everything that is awaited is listened for and read again.
"""

from __future__ import annotations

import logging
import random
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self
from uuid import UUID

import psycopg

from pgflow._fork import forget_after_fork, keep
from pgflow.abc import RunObserver
from pgflow.errors import ClientClosedError, PgflowError, ServerGoneError
from pgflow.listener.delivery import Delivery
from pgflow.listener.probe import Probe
from pgflow.listener.session import ListenSession
from pgflow.listener.subscriptions import AnySubscription, QueueSubscription, Registry, RunSubscription, queue_channel
from pgflow.listener.waker import Waker

__all__ = ["Listener"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LAST_PAUSE = 5.0
_JOIN_TIMEOUT = 5.0


class Listener:
    """Listens for runs and queues while anybody wants it, and not a thread or connection more.

    ``connect`` opens the session, ``notify`` sends an empty notification through another connection. The thread ends,
    and closes its connection, ``linger`` seconds after the last subscription did. Every ``check_interval`` seconds the
    tables are compared with what the subscribers know, for what no event tells: a run that was deleted. After
    ``reconnect_timeout`` seconds without a server those who follow a run are told so.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        notify: Callable[[str], None],
        *,
        linger: float = 30.0,
        check_interval: float = 5.0,
        reconnect_timeout: float = 300.0,
    ) -> None:
        self._connect = connect
        self._notify = notify
        self._linger = linger
        self._check_interval = check_interval
        self._reconnect_timeout = reconnect_timeout
        self._begin_afresh()
        forget_after_fork(self)

    def _begin_afresh(self) -> None:
        self._registry = Registry()
        self._probe = Probe(self._notify)
        # Held while connecting, so that there is one thread however many ask for it at once.
        self._starting = threading.Lock()
        # Held briefly, by whoever asks or says which thread is the one in charge.
        self._lock = threading.Lock()
        self._stops = 0
        self._thread: threading.Thread | None = None
        self._waker: Waker | None = None
        self._session: ListenSession | None = None

    def after_fork(self) -> None:
        """Leave thread, connection and subscriptions to the parent."""
        keep(self._session, self._waker)
        self._begin_afresh()

    # Subscribing

    def subscribe(self, run_id: UUID, observer: RunObserver) -> RunSubscription:
        """Follow a run; the first subscription of all connects, and raises what that raises."""
        subscription = RunSubscription(self._registry, run_id, observer)
        self._add(subscription)
        return subscription

    def listen_on_queues(self, flow_slugs: Sequence[str], wake: Callable[[], None]) -> QueueSubscription:
        """Call ``wake`` whenever one of the queues is notified, and whenever that may have been missed."""
        subscription = QueueSubscription(self._registry, tuple(map(queue_channel, flow_slugs)), wake)
        self._add(subscription)
        return subscription

    def _add(self, subscription: AnySubscription) -> None:
        # Added before the thread is asked for: a thread that is about to end sees it and stays.
        self._registry.add(subscription)
        try:
            self.start()
        except BaseException:
            subscription.cancel()
            raise
        self._wake()

    # Starting and stopping

    def start(self) -> None:
        """Connect and start the thread, if there is none; idempotent.

        :raises psycopg.OperationalError: the server cannot be reached, or does not want us.
        """
        if self._is_running():
            return
        with self._starting:
            if self._is_running():
                return
            stops = self._stops
            session, waker = ListenSession(self._connect()), Waker()
            thread = threading.Thread(target=self._run, args=(session, waker), name="pgflow-listener", daemon=True)
            with self._lock:
                is_wanted = self._stops == stops
                if is_wanted:
                    self._session, self._waker, self._thread = session, waker, thread
            if not is_wanted:
                session.close()
                waker.close()
                raise ClientClosedError("the client was closed while its listener was being started")
            thread.start()

    def stop(self, *, silently: bool = False) -> None:
        """End the thread and close its connection; who still follows a run is told, unless ``silently``. Idempotent."""
        with self._lock:
            self._stops += 1
            thread, self._thread = self._thread, None
        self._wake()
        if not silently:
            self._tell_all(lambda run_id: ClientClosedError(f"the client was closed while run {run_id} was awaited"))
        self._registry.clear()
        if thread is not None and thread is not threading.current_thread():
            # A thread that is just connecting ends when that does.
            thread.join(_JOIN_TIMEOUT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _wake(self) -> None:
        with self._lock:
            if self._waker is not None:
                self._waker.set()

    def _is_running(self) -> bool:
        with self._lock:
            return self._thread is not None

    def _is_in_charge(self) -> bool:
        with self._lock:
            return self._thread is threading.current_thread()

    def _retire(self) -> bool:
        """Give up being the listener's thread, unless somebody has subscribed after all."""
        with self._lock:
            if self._registry:
                return False
            if self._thread is threading.current_thread():
                self._thread = None
            return True

    def _tell_all(self, error: Callable[[UUID], Exception]) -> None:
        for subscription in self._registry.everyone():
            if isinstance(subscription, RunSubscription):
                subscription.fail(error(subscription.run_id))

    # The thread

    def _run(self, session: ListenSession, waker: Waker) -> None:
        try:
            current: ListenSession | None = session
            while current is not None:
                current = self._use(current, waker)
        except BaseException as exc:
            # Nobody may wait on a thread that has died.
            with self._lock:
                if self._thread is threading.current_thread():
                    self._thread = None
            reason = repr(exc)
            self._tell_all(lambda run_id: PgflowError(f"the listener failed while run {run_id} was awaited: {reason}"))
            raise
        finally:
            waker.close()

    def _use(self, session: ListenSession, waker: Waker) -> ListenSession | None:
        """Serve with a session for as long as it lasts; return the one to go on with, None if there is no need."""
        try:
            self._serve(session, waker)
            return None
        except psycopg.Error as exc:
            logger.warning("the listener has lost its connection and makes it again: %s", exc)
        finally:
            session.close()
        return self._reconnect(waker)

    def _serve(self, session: ListenSession, waker: Waker) -> None:
        delivery = Delivery(session, self._registry, self._probe, self._check_interval)
        self._registry.renew()
        idle_since = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(session.fileno(), selectors.EVENT_READ)
            selector.register(waker.fileno(), selectors.EVENT_READ)
            while self._is_in_charge():
                due = delivery.step()
                if self._registry:
                    idle_since = time.monotonic()
                else:
                    left = idle_since + self._linger - time.monotonic()
                    if left <= 0 and self._retire():
                        return
                    due = max(0.0, left if due is None else min(left, due))
                selector.select(due)
                waker.clear()

    def _reconnect(self, waker: Waker) -> ListenSession | None:
        """Return a new session, or None when there is nobody left who would need one."""
        self._probe.renew()
        lost_at = time.monotonic()
        pause = _FIRST_PAUSE
        while self._is_in_charge() and not self._retire():
            # Jitter keeps the clients of one server from coming back all at once.
            until = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311  no secret
            while self._is_in_charge() and (left := until - time.monotonic()) > 0:
                waker.wait(left)
            pause = min(2 * pause, _LAST_PAUSE)
            try:
                session = ListenSession(self._connect())
            except psycopg.Error as exc:
                if time.monotonic() - lost_at > self._reconnect_timeout:
                    self._give_up(exc)
                continue
            with self._lock:
                self._session = session
            return session
        return None

    def _give_up(self, exc: psycopg.Error) -> None:
        def error(run_id: UUID) -> Exception:
            gone = ServerGoneError(
                f"run {run_id} is no longer awaited: the server has been gone for {self._reconnect_timeout:g} seconds "
                f"({exc}); the run is in its tables, so wait for it again, by get_run, when the server is back"
            )
            gone.__cause__ = exc
            return gone

        self._tell_all(error)

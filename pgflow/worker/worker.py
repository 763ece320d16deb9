"""The worker as its users see it: started, stopped, and run until a signal."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg

from pgflow.abc import Subscription, TaskProcessor
from pgflow.dsl import Flow
from pgflow.worker.crew import Crew
from pgflow.worker.executors import executor_for
from pgflow.worker.failures import describe
from pgflow.worker.interrupts import SecondSignal, termination_signals
from pgflow.worker.outcome import Outcome
from pgflow.worker.processes import HandlerProcesses
from pgflow.worker.steps import by_slug, known_steps

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["Worker"]

logger = logging.getLogger("pgflow.worker")

_GRACE = 30.0
#: How often to give a signal that another thread was woken for its turn.
_GLANCE = 0.5


class _NothingBegun(BaseException):
    """A signal has come before there was anything to stop."""


class Worker:
    """Runs the tasks of one flow or several.

    `run` works until SIGTERM or SIGINT; `start` and `stop`, or a ``with`` block, work beside other things in a
    process. Any number of workers may serve the same flows, and each may be killed at any time: what it held is taken
    by another when its leases end.

    :param flows: a `Flow` or several. Those that the database does not know are defined, changed options are updated.
    :param dsn: the database, in any form that `pgflow.dsn` describes; None is the environment's ``PGFLOW_DSN``.
    :param listen_dsn: a direct connection to it, for promptness where ``dsn`` leads through a pooler.
    :param concurrency: how many handlers run at a time.
    :param lease: seconds for which a claimed task is the worker's; it is extended while the handler runs, so it says
        how soon others take over from a worker that has died.
    :param executor: runs the handlers; None is threads of the worker's own. A pool of fewer workers than
        ``concurrency`` is the limit instead. Of a `~concurrent.futures.ProcessPoolExecutor` the configuration is used:
        handlers run in processes of the worker's own that are made likewise, and that are killed at a timeout. The
        worker does not shut down an executor that it is given.
    :param connector: another way to the database than ``dsn``; the worker does not close it.
    :raises DefinitionError: if a flow cannot work.
    """

    def __init__(
        self,
        flows: Flow[Any] | Sequence[Flow[Any]],
        dsn: str | URL | None = None,
        *,
        listen_dsn: str | URL | None = None,
        concurrency: int = 10,
        lease: float = 30.0,
        executor: Executor | None = None,
        connector: TaskProcessor | None = None,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        if not (math.isfinite(lease) and lease > 0):
            raise ValueError(f"lease must be a number of seconds above 0, not {lease}")
        self._flows = by_slug(flows)
        self._steps = {key: step for flow in self._flows.values() for key, step in known_steps(flow).items()}
        self._dsn = dsn
        self._listen_dsn = listen_dsn
        self._concurrency = concurrency
        self._lease = lease
        self._given_executor = executor
        self._given_connector = connector
        self._worker_id = uuid4()
        # One of each end is awaited: a signal, a crash, or None for a stop. Unlike an Event's, its put() may interrupt
        # itself, as signal handlers do.
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()
        self._lock = threading.RLock()
        self._outcome: Outcome | None = None
        self._crew: Crew | None = None
        self._processor: TaskProcessor | None = None
        self._subscription: Subscription | None = None
        self._executor: Executor | None = None

    @property
    def worker_id(self) -> UUID:
        """The id under which it stands in ``pgflow.workers``."""
        return self._worker_id

    @property
    def stuck(self) -> int:
        """How many handlers go on although their attempts have timed out."""
        return self._crew.runner.stuck if self._crew else 0

    def run(self, *, grace: float = _GRACE) -> Outcome:
        """Work until SIGTERM or SIGINT, or until `stop` is called elsewhere, and return how it ended.

        The first signal stops it as `stop` does, a second one at once; one that comes while it still connects ends it
        there and then. The handlers of the signals are installed in the main thread only, and what was installed
        before is put back.

        :raises RuntimeError: if the worker broke down, because its executor takes no more calls for instance; it has
            been stopped then.
        """
        try:
            with termination_signals(self._asked_to_end):
                self.start()
                error = self._await_end()
                logger.info("stopping, with up to %g s for what runs", grace)
                outcome = self.stop(grace=grace)
        except SecondSignal as second:
            if self._crew is not None:
                self._crew.abandon()
            if isinstance(self._executor, HandlerProcesses):
                self._executor.kill_all()
            return Outcome(killed_by=second.signum)
        except _NothingBegun:
            return self.stop()
        if error is not None:
            raise RuntimeError(f"the worker broke down and was stopped: {describe(error)}") from error
        return outcome

    def start(self) -> Worker:
        """Connect, define the flows, and begin to work; nothing happens if that was done.

        :raises psycopg.OperationalError: if the database cannot be reached.
        :raises FlowShapeError: if the database holds one of the flows in another shape.
        :raises RuntimeError: if the worker was stopped: make a new one.
        """
        with self._lock:
            if self._outcome is not None:
                raise RuntimeError("this worker was stopped and cannot start again: make a new one")
            if self._crew is not None:
                return self
            self._processor = self._given_connector or self._connect()
            try:
                self._introduce(self._processor)
            except BaseException:
                if self._crew is not None:
                    self._crew.abandon()
                    self._crew = None
                self._disconnect()
                raise
        logger.info("worker %s serves %s", self._worker_id, ", ".join(self._flows))
        return self

    def stop(self, *, grace: float = _GRACE) -> Outcome:
        """Stop, and return how it ended; again, it returns the same.

        Nothing more is claimed. What runs may finish for ``grace`` seconds and is reported; the rest is handed back:
        visible to other workers at once, the attempt not counted. Processes are killed; handlers on threads go on, but
        their results are discarded. Connections are closed last.
        """
        with self._lock:
            if self._outcome is None:
                self._outcome = Outcome() if self._crew is None else self._crew.stop(grace)
                self._disconnect()
                self._ends.put(None)
            return self._outcome

    def __enter__(self) -> Worker:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _asked_to_end(self, signum: int) -> None:
        if self._crew is None:
            raise _NothingBegun
        self._ends.put(None)

    def _await_end(self) -> BaseException | None:
        while True:
            try:
                return self._ends.get(timeout=_GLANCE)
            except Empty:
                # Python handles signals in this thread only, between two bytecodes, and the system may have woken
                # another for one: it does if the process was suspended when the signal was sent.
                continue

    def _connect(self) -> TaskProcessor:
        from pgflow.connector import PsycopgConnector

        # The crew's threads have a connection each, handlers share two for the inputs of their runs. What does not come
        # at once is an outage, which the crew minds.
        return PsycopgConnector(self._dsn, listen_dsn=self._listen_dsn, pool_size=2, lane_size=1, pool_timeout=5.0)

    def _introduce(self, processor: TaskProcessor) -> None:
        slugs = list(self._flows)
        for flow in self._flows.values():
            _define(processor, flow)
        register = partial(processor.register_worker, self._worker_id, slugs, f"{socket.gethostname()}:{os.getpid()}")
        self._executor, places = executor_for(self._given_executor, self._concurrency)
        crew = Crew(
            processor=processor,
            worker_id=self._worker_id,
            steps=self._steps,
            flow_slugs=slugs,
            executor=self._executor,
            concurrency=places,
            lease=self._lease,
            register=register,
            on_crash=self._crashed,
        )
        self._subscription = processor.listen_on_queues(slugs, crew.claimer.wake)
        # From here on a signal asks for a stop in order, which notes the end of what is noted here.
        self._crew = crew
        register()
        crew.start()

    def _disconnect(self) -> None:
        if self._executor is not None and self._executor is not self._given_executor:
            self._executor.shutdown()
        if self._processor is None:
            return
        if self._subscription is not None:
            self._subscription.cancel()
        # In an outage nobody waits for what the missing heartbeat says as well.
        if self._crew is not None and self._crew.health.is_well:
            try:
                self._processor.stop_worker(self._worker_id)
            except Exception:
                logger.debug("the end of the worker could not be noted", exc_info=True)
        if self._processor is not self._given_connector:
            self._processor.close()

    def _crashed(self, thread: str, error: BaseException) -> None:
        logger.critical("the thread %r of the worker died, nothing more is claimed", thread, exc_info=error)
        if self._crew is not None:
            self._crew.claimer.stop()
        self._ends.put(error)


def _define(processor: TaskProcessor, flow: Flow[Any]) -> None:
    definition = flow.definition()
    try:
        processor.ensure_flow(definition)
    except psycopg.errors.InsufficientPrivilege:
        # The role may work and not define: somebody else has to have defined this very flow.
        processor.check_flow(definition)

"""Those who start runs and wait for them, through whatever happens to the server."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import psycopg
from attrs import define, field
from psycopg.conninfo import make_conninfo

from pgflow.client import FlowClient, FlowRun
from pgflow.connector import PsycopgConnector
from pgflow.errors import RunFailedError
from tests.chaos.flows import FLOWS, Plan
from tests.chaos.history import GAVE_UP

T = TypeVar("T")

_BATCH = 5


@define(eq=False)
class Callers:
    """One client, whose runs are started one by one and in batches, by a key or without, waited for or not."""

    dsn: str
    name: str
    #: Seconds after which a run that is waited for will never end, and an outage is no excuse any more.
    patience: float
    #: What went wrong, in words.
    complaints: list[str] = field(factory=list, init=False)
    _connector: PsycopgConnector = field(init=False)
    _client: FlowClient = field(init=False)
    _threads: ThreadPoolExecutor = field(init=False)
    _waiting: list[Future[None]] = field(factory=list, init=False)

    def __enter__(self) -> Self:
        self._connector = PsycopgConnector(
            make_conninfo(self.dsn, application_name=self.name),
            listen_dsn=make_conninfo(self.dsn, application_name=f"{self.name} listener"),
        )
        self._client = FlowClient(connector=self._connector)
        self._threads = ThreadPoolExecutor(64, thread_name_prefix="caller")
        for flow in FLOWS:
            self._client.register(flow)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self._connector.close()  # whoever still waits is told
        self._threads.shutdown()

    def start(self, plans: Sequence[Plan], seconds: float) -> Future[None]:
        """Start runs, spread over so many seconds, on a thread of its own."""
        calls = [partial(self._start_one, plan) for plan in plans if plan.number % 4]
        by_flow = defaultdict(list)
        for plan in plans:
            if plan.number % 4 == 0:
                by_flow[plan.flow.slug].append(plan)
        for same in by_flow.values():
            for first in range(0, len(same), _BATCH):
                # Between the others, wherever the number of its first plan puts it.
                calls.insert(
                    same[first].number % (len(calls) + 1), partial(self._start_many, same[first : first + _BATCH])
                )
        return self._threads.submit(self._start_all, calls, seconds)

    def finish(self) -> None:
        """Return when nobody waits any more."""
        for waiting in self._waiting:
            waiting.result()

    def _start_all(self, calls: Sequence[Callable[[], None]], seconds: float) -> None:
        pause = seconds / max(len(calls), 1)
        began = time.monotonic()
        for number, call in enumerate(calls):
            threading.Event().wait(began + number * pause - time.monotonic())
            call()

    def _start_one(self, plan: Plan) -> None:
        key = f"plan-{plan.number}"
        run = self._persistently(lambda: self._client.start(plan.flow.slug, plan.input, idempotency_key=key))
        if plan.number % 5 == 0:
            again = self._persistently(lambda: self._client.start(plan.flow.slug, plan.input, idempotency_key=key))
            if again.run_id != run.run_id:
                self.complaints.append(f"{key} was started as {run.run_id}, and again as {again.run_id}")
        if plan.number % 2:
            self._waiting.append(self._threads.submit(self._wait, run, plan))

    def _start_many(self, plans: Sequence[Plan]) -> None:
        """Start a batch; whether one that got no answer has started is asked of the table: all of it, or nothing."""

        def start() -> None:
            with psycopg.connect(self.dsn) as connection:
                numbers = [plan.number for plan in plans]
                row = connection.execute(
                    "select count(*) from pgflow.runs where (input ->> 'number')::int = any(%s)", [numbers]
                ).fetchone()
            there = row[0] if row else 0
            if there == 0:
                self._client.start_many(plans[0].flow.slug, [plan.input for plan in plans])
            elif there != len(plans):
                self.complaints.append(f"of a batch of {len(plans)} runs {there} were started: {numbers}")

        self._persistently(start)

    def _wait(self, run: FlowRun, plan: Plan) -> None:
        output, error = None, None
        try:
            output = run.result(self.patience)
        except RunFailedError:
            error = run.error_message
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc}"
        if (output, error) != (plan.output, plan.error) and not (plan.used_up and str(error).startswith(GAVE_UP)):
            self.complaints.append(
                f"who waited for {plan.flow.slug} run {run.run_id} got {error or output}, "
                f"and not {plan.error or plan.output}"
            )

    def _persistently(self, call: Callable[[], T]) -> T:
        """Call until the database has answered."""
        ends = time.monotonic() + self.patience
        while True:
            try:
                return call()
            except psycopg.OperationalError:
                if time.monotonic() > ends:
                    raise
                threading.Event().wait(0.05)

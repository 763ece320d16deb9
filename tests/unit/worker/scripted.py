"""A processor that answers as a test scripts it: for when a worker calls what, never for what a database would do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from pgflow.abc import Subscription, TaskTransaction
from pgflow.models import Completion, Failure, Json, RunSnapshot, TaskKey, TaskRecord
from pgflow.worker.context import Context
from pgflow.worker.database import HandlerDatabase
from pgflow.worker.inflight import Attempt
from pgflow.worker.steps import KnownStep

STEP = KnownStep(
    call=lambda task_input, ctx: None,
    load_run_input=lambda plain: plain,
    wants_ctx=False,
    timeout=60,
    max_attempts=3,
    feeds_others=True,
)


def task(name: str = "step") -> TaskRecord:
    """A claimed task of a run of its own."""
    return TaskRecord("flow", uuid4(), name, {"run": None, "deps": {}}, 1, 0, 1, 1)


def attempt(step: KnownStep = STEP, *, ends_in: float = 60) -> Attempt:
    """An attempt that has just begun."""
    record = task()
    context = Context(record, timeout=ends_in, structure=step.load_run_input, database=HandlerDatabase(Scripted()))
    return Attempt(record, step, context, time.monotonic() + ends_in)


class Scripted:
    """Answers every call from the attribute of its name, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.asked: list[int] = []
        self.flow_order: list[list[str]] = []
        self.released: list[TaskKey] = []
        self.reports: list[list[Completion | Failure]] = []
        self.claim: Callable[[int], list[TaskRecord]] = lambda qty: []
        self.due: Callable[[], float | None] = lambda: None
        self.complete: Callable[[Sequence[Completion]], list[TaskKey]] = lambda completions: []
        self.fail: Callable[[Sequence[Failure]], list[TaskKey]] = lambda failures: []
        self.extend: Callable[[Sequence[TaskKey]], list[TaskKey]] = lambda keys: []
        self.beat: Callable[[], bool] = lambda: True
        self._lock = threading.Lock()

    def count(self, call: str) -> int:
        """How often it was asked for this."""
        with self._lock:
            return self.calls.count(call)

    def _called(self, call: str) -> None:
        with self._lock:
            self.calls.append(call)

    def poll_for_tasks(
        self, flow_slugs: Sequence[str], *, qty: int, lease: float, worker_id: UUID | None = None
    ) -> list[TaskRecord]:
        self._called("claim")
        self.asked.append(qty)
        self.flow_order.append(list(flow_slugs))
        return self.claim(qty)

    def sleep_on_queues(self, worker_id: UUID, flow_slugs: Sequence[str], *, seconds: float) -> float | None:
        self._called("sleep")
        return self.due()

    def complete_tasks(self, completions: Sequence[Completion]) -> list[TaskKey]:
        self._called("complete")
        self.reports.append(list(completions))
        return self.complete(completions)

    def fail_tasks(self, failures: Sequence[Failure]) -> list[TaskKey]:
        self._called("fail")
        self.reports.append(list(failures))
        return self.fail(failures)

    def extend_leases(self, keys: Sequence[TaskKey], *, lease: float) -> list[TaskKey]:
        self._called("extend")
        return self.extend(keys)

    def release_tasks(self, keys: Sequence[TaskKey]) -> list[TaskKey]:
        self._called("release")
        self.released.extend(keys)
        return []

    def heartbeat_worker(self, worker_id: UUID) -> bool:
        self._called("heartbeat")
        return self.beat()

    def ensure_flow(self, definition: Mapping[str, Json]) -> None:
        raise AssertionError("not scripted")

    def check_flow(self, definition: Mapping[str, Json]) -> None:
        raise AssertionError("not scripted")

    def get_run_with_states(self, run_id: UUID) -> RunSnapshot | None:
        raise AssertionError("not scripted")

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        raise AssertionError("not scripted")

    def start_tasks(self, flow_slug: str, msg_ids: Sequence[int], worker_id: UUID | None = None) -> list[TaskRecord]:
        raise AssertionError("not scripted")

    def listen_on_queues(self, flow_slugs: Sequence[str], wake: Callable[[], None]) -> Subscription:
        raise AssertionError("not scripted")

    def register_worker(self, worker_id: UUID, flow_slugs: Sequence[str], function_name: str) -> None:
        raise AssertionError("not scripted")

    def stop_worker(self, worker_id: UUID) -> None:
        raise AssertionError("not scripted")

    def close(self) -> None:
        raise AssertionError("not scripted")


def done(attempt: Attempt, output: Any = None) -> Completion:
    """The report of an attempt that worked."""
    return Completion(attempt.record.key, output)

from __future__ import annotations

import logging
import pickle
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from pgflow.abc import TaskTransaction
from pgflow.models import RunRow, RunSnapshot, RunStatus, TaskRecord
from pgflow.worker import Context
from pgflow.worker.database import HandlerDatabase

RUN = UUID("01890000-0000-7000-8000-000000000001")


def record(*, attempt: int = 1, task_index: int = 3) -> TaskRecord:
    return TaskRecord("orders", RUN, "ship", {"item": "x"}, 17, task_index, attempt, attempt)


class Access:
    """A database that has one run."""

    def __init__(self) -> None:
        self.loads = 0

    def get_run_with_states(self, run_id: UUID) -> RunSnapshot | None:
        self.loads += 1
        now = datetime.now(UTC)
        return RunSnapshot(RunRow(run_id, "orders", RunStatus.STARTED, {"id": 1}, None, None, 1, now, None, None), ())

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        raise AssertionError("not asked for")


def as_it_is(plain: Any) -> Any:
    return plain


def context(*, attempt: int = 1, task_index: int = 3, timeout: float = 60, access: Access | None = None) -> Context:
    return Context(
        record(attempt=attempt, task_index=task_index),
        timeout=timeout,
        structure=as_it_is,
        database=HandlerDatabase(access or Access()),
    )


def test_it_names_the_attempt() -> None:
    ctx = context(attempt=2)

    assert (ctx.run_id, ctx.flow_slug, ctx.step_slug, ctx.task_index, ctx.attempt) == (RUN, "orders", "ship", 3, 2)
    assert repr(ctx) == f"<Context of orders.ship[3] in run {RUN}, attempt 2>"


def test_the_idempotency_key_is_the_same_on_every_attempt() -> None:
    assert context(attempt=1).idempotency_key == context(attempt=2).idempotency_key


def test_the_idempotency_key_is_another_for_another_task() -> None:
    assert context(task_index=3).idempotency_key != context(task_index=4).idempotency_key


def test_the_run_input_is_loaded_when_asked_for_and_once() -> None:
    access = Access()
    ctx = context(access=access)
    assert access.loads == 0

    assert ctx.run_input is ctx.run_input
    assert access.loads == 1


def test_a_single_step_has_the_run_input_with_its_own() -> None:
    task = TaskRecord("orders", RUN, "pay", {"run": {"sum": [5]}, "deps": {}}, 17, 0, 1, 1)
    access = Access()
    ctx = Context(task, timeout=60, structure=as_it_is, database=HandlerDatabase(access))
    ctx.run_input["sum"].append(6)

    assert ctx.run_input == {"sum": [5, 6]}
    assert task.input["run"] == {"sum": [5]}
    assert access.loads == 0


def test_the_deadline_is_the_timeout_from_now() -> None:
    before = datetime.now(UTC)
    ctx = context(timeout=60)

    assert 60 <= (ctx.deadline - before).total_seconds() < 65
    assert 55 < ctx.remaining() <= 60
    assert not ctx.should_stop


def test_it_says_stop_when_the_time_is_up() -> None:
    ctx = context(timeout=0)

    assert ctx.remaining() == 0
    assert ctx.should_stop


def test_it_says_stop_when_the_worker_says_so() -> None:
    ctx = context()
    ctx._cancel()

    assert ctx.should_stop
    assert ctx.remaining() > 0


def test_records_of_its_logger_carry_the_ids(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        context(attempt=2).logger.info("sent to %s", "Oslo", extra={"weight": 3})

    (line,) = caplog.records
    assert line.name == "pgflow.flow.orders.ship"
    assert line.getMessage() == f"orders.ship[3] run {RUN} attempt 2: sent to Oslo"
    assert (line.__dict__["run_id"], line.__dict__["task_index"], line.__dict__["weight"]) == (str(RUN), 3, 3)


def test_it_travels_to_another_process_and_asks_the_database_from_there() -> None:
    ctx = context(timeout=60)
    there = pickle.loads(pickle.dumps(ctx))

    assert there.idempotency_key == ctx.idempotency_key
    assert there.run_input == {"id": 1}
    assert there.deadline == ctx.deadline
    assert abs(there.remaining() - ctx.remaining()) < 1

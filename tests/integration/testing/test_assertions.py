"""Assertions on runs: what they accept, and what they say of what they do not."""

from __future__ import annotations

import pytest

from pgflow.client import FlowClient
from pgflow.dsl import Flow
from pgflow.engine.borrowing import BorrowedConnector
from pgflow.errors import UnknownStepError
from pgflow.testing import Attempt, assert_completed, assert_failed, run_flow
from tests.plugins.databases import Connection

flow = Flow("asserted", input=int, base_delay=0)


@flow.step
def first(run: int) -> list[int]:
    return [run, 0]


@flow.step("break-it", depends_on=[first], fanout=True, max_attempts=2)
def divide(item: int) -> float:
    return 10 / (item - 3)


@flow.step(depends_on=[divide])
def last(deps: object) -> None: ...


def test_a_run_that_has_completed_satisfies(connection: Connection) -> None:
    run = run_flow(flow, 4, connection=connection)

    assert_completed(run)
    assert_completed(run, first, divide, "last")
    with pytest.raises(AssertionError, match="not failed"):
        assert_failed(run)


def test_a_run_that_has_failed_is_told_step_by_step_with_what_was_raised(connection: Connection) -> None:
    run = run_flow(flow, 3, connection=connection)

    with pytest.raises(AssertionError) as told:
        assert_completed(run)

    assert str(told.value) == "\n".join(
        [
            f"run {run.run_id} of flow 'asserted' is failed: ZeroDivisionError: division by zero",
            "  first     completed",
            "  break-it  failed, 3 calls: ZeroDivisionError: division by zero",
            "  last      cancelled",
        ]
    )
    assert isinstance(told.value.__cause__, ZeroDivisionError)


def test_steps_can_be_asked_about_whatever_became_of_the_run(connection: Connection) -> None:
    run = run_flow(flow, 3, connection=connection)

    assert_completed(run, first)
    with pytest.raises(AssertionError, match="not completed: break-it, last"):
        assert_completed(run, first, divide, last)
    with pytest.raises(UnknownStepError):
        assert_completed(run, "nonsense")


def test_a_failure_is_accepted_by_its_step_and_its_error(connection: Connection) -> None:
    run = run_flow(flow, 3, connection=connection)

    assert_failed(run)
    assert_failed(run, divide, match=r"^ZeroDivisionError: division")
    with pytest.raises(AssertionError, match="not failed at step 'first'"):
        assert_failed(run, first)
    with pytest.raises(AssertionError, match=r"where 'by one' is not found"):
        assert_failed(run, match="by one")


def test_every_call_of_a_handler_is_known(connection: Connection) -> None:
    run = run_flow(flow, 3, connection=connection)

    assert [(attempt.task_index, attempt.number) for attempt in run.attempts_at(divide)] == [(0, 1), (1, 1), (0, 2)]
    assert [type(attempt.error) for attempt in run.attempts_at("break-it")] == [
        ZeroDivisionError,
        type(None),
        ZeroDivisionError,
    ]
    assert run.attempts[0] == Attempt("first", 0, 1, None)
    assert run.attempts_at(last) == []


def test_a_run_that_nobody_has_driven_can_be_asserted_on_as_well(connection: Connection) -> None:
    driven = run_flow(flow, 3, connection=connection)
    run = FlowClient(connector=BorrowedConnector(connection)).get_run(driven.run_id)

    assert_failed(run, "break-it", match="division")
    with pytest.raises(AssertionError, match="break-it  failed: ZeroDivisionError"):
        assert_completed(run)

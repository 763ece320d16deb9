from __future__ import annotations

from uuid import uuid4

from pgflow.dsl import Flow, MisfitError
from pgflow.models import Failure, TaskKey
from pgflow.worker import FailPermanently, RetryAfter
from pgflow.worker.failures import failure_of

KEY = TaskKey(uuid4(), "step", 0, 1)


def report(error: BaseException) -> Failure:
    """The report for an error that was raised, so that it has a traceback."""
    try:
        raise error
    except BaseException as raised:
        return failure_of(KEY, raised)


def test_the_message_names_the_type() -> None:
    assert report(KeyError("customer")).error_message == "KeyError: 'customer'"


def test_the_type_alone_is_enough_where_there_is_no_message() -> None:
    assert report(TimeoutError()).error_message == "TimeoutError"


def test_a_message_that_cannot_be_made_is_no_reason_to_lose_the_report() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    failure = report(BrokenError())

    assert failure.error_message == "BrokenError: <the message cannot be shown>"
    assert failure.traceback is not None
    assert "BrokenError" in failure.traceback


def test_an_ordinary_error_leaves_the_retry_to_the_step() -> None:
    failure = report(ValueError("not yet"))

    assert not failure.permanent
    assert failure.retry_delay is None


def test_a_value_that_does_not_fit_fails_for_good_under_its_public_name() -> None:
    failure = report(MisfitError("expected str, got int"))

    assert failure.permanent
    assert failure.error_message == "NotJsonError: $: expected str, got int"


def test_fail_permanently_stores_its_message() -> None:
    failure = report(FailPermanently("the card was declined"))

    assert failure.permanent
    assert failure.error_message == "the card was declined"


def test_retry_after_sets_the_delay() -> None:
    failure = report(RetryAfter(90))

    assert failure.retry_delay == 90
    assert not failure.permanent
    assert failure.error_message == "RetryAfter: asked to be run again after 90 s"


def test_retry_after_from_an_error_stores_that_error() -> None:
    try:
        raise RetryAfter(5) from ConnectionError("busy")
    except RetryAfter as error:
        failure = failure_of(KEY, error)

    assert failure.error_message == "ConnectionError: busy"
    assert failure.retry_delay == 5
    assert failure.traceback is not None
    assert "ConnectionError: busy" in failure.traceback


def test_a_message_of_megabytes_is_cut() -> None:
    message = report(RuntimeError("x" * 5_000_000)).error_message

    assert len(message) == 8_000
    assert message.endswith("…")


def test_the_traceback_starts_at_the_handler_and_ends_with_the_error() -> None:
    flow = Flow("traced")

    @flow.step
    def explode(run: object) -> None:
        raise LookupError("boom")

    try:
        flow.compiled().steps["explode"].call({"run": None, "deps": {}}, None)
    except LookupError as error:
        failure = failure_of(KEY, error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))

    assert failure.traceback is not None
    assert 'raise LookupError("boom")' in failure.traceback
    assert "pgflow/dsl" not in failure.traceback
    assert failure.traceback.endswith("LookupError: boom\n")


def test_a_long_traceback_keeps_its_end() -> None:
    failure = report(RuntimeError("y" * 100_000 + " at the end"))

    assert failure.traceback is not None
    assert len(failure.traceback) == 32_000
    assert failure.traceback.endswith("at the end\n")

"""What becomes of handlers that raise."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Context, FailPermanently, RetryAfter, Worker
from tests.integration.worker.conftest import Runs


def test_a_failing_handler_is_retried_until_it_works(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("flaky", base_delay=0)

    @flow.step
    def third_time(run: None, ctx: Context) -> int:
        if ctx.attempt < 3:
            raise ConnectionError("busy")
        return ctx.attempt

    work(flow)

    assert runs.output(runs.start(flow)) == {"third_time": 3}


def test_attempts_that_are_used_up_fail_the_run_with_type_message_and_traceback(
    work: Callable[..., Worker], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow("hopeless", max_attempts=2, base_delay=0)

    @flow.step
    def never(run: None) -> None:
        raise LookupError("no such customer")

    work(flow)
    with caplog.at_level(logging.WARNING):
        run_id = runs.start(flow)
        assert runs.error(run_id) == "LookupError: no such customer"

    task = runs.task(run_id, "never")
    assert task["attempts_count"] == 2
    assert 'raise LookupError("no such customer")' in task["traceback"]
    logged = [(line.levelname, line.getMessage()) for line in caplog.records]
    assert logged == [
        ("WARNING", f"hopeless.never[0] of run {run_id} failed (attempt 1 of 2): LookupError: no such customer"),
        (
            "ERROR",
            f"hopeless.never[0] of run {run_id} failed (attempt 2 of 2, the last one): LookupError: no such customer",
        ),
    ]
    assert all(line.exc_info for line in caplog.records)


def test_a_retry_waits_for_its_backoff_and_not_much_longer(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("backoff", base_delay=1, max_attempts=2)
    called: list[float] = []

    @flow.step
    def twice(run: None) -> None:
        called.append(time.monotonic())
        if len(called) == 1:
            raise ValueError("once more")

    work(flow)
    runs.output(runs.start(flow))

    # base_delay * 2 ** 1, and up to a tenth of jitter
    assert 2 <= called[1] - called[0] < 3.5


def test_retry_after_overrides_the_backoff(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("retry-after", base_delay=60)

    @flow.step
    def soon(run: None, ctx: Context) -> int:
        if ctx.attempt == 1:
            raise RetryAfter(0.2)
        return ctx.attempt

    work(flow)

    assert runs.output(runs.start(flow)) == {"soon": 2}


def test_a_retry_that_was_asked_for_is_logged_in_one_line_with_its_reason(
    work: Callable[..., Worker], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow("retry-after-reason")

    @flow.step
    def ask(run: None, ctx: Context) -> int:
        if ctx.attempt == 1:
            raise RetryAfter(0) from ConnectionError("busy")
        return ctx.attempt

    work(flow)
    run_id = runs.start(flow)

    assert runs.output(run_id) == {"ask": 2}
    (line,) = [line for line in caplog.records if line.levelno >= logging.WARNING]
    assert line.getMessage() == (
        f"retry-after-reason.ask[0] of run {run_id} failed (attempt 1 of 3): ConnectionError: busy"
    )
    assert not line.exc_info


def test_fail_permanently_is_not_retried(
    work: Callable[..., Worker], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow("permanent", base_delay=0)

    @flow.step
    def declined(run: None) -> None:
        raise FailPermanently("the card was declined")

    work(flow)
    run_id = runs.start(flow)

    assert runs.error(run_id) == "the card was declined"
    assert runs.attempts(run_id, "declined") == 1
    assert f"permanent.declined[0] of run {run_id} failed (attempt 1 of 3, for good): the card" in caplog.text


@pytest.mark.parametrize("bad", [float("nan"), b"bytes", {1, 2}, "nul \0", "lone \ud800"], ids=ascii)
def test_a_result_that_is_no_json_fails_for_good(bad: Any, work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("no-json", base_delay=0)

    @flow.step
    def broken(run: None) -> Any:
        return {"inside": bad}

    work(flow)
    run_id = runs.start(flow)

    assert runs.error(run_id).startswith("NotJsonError: output of step 'broken' of flow 'no-json': $.inside: ")
    assert runs.attempts(run_id, "broken") == 1


def test_an_input_that_does_not_fit_fails_for_good(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("misfit", base_delay=0)

    @flow.step
    def add(run: int) -> int:
        return run + 1

    work(flow)
    run_id = runs.start(flow, "three")

    assert runs.error(run_id).startswith("NotJsonError: parameter 'run' of step 'add'")
    assert runs.attempts(run_id, "add") == 1


def test_a_message_that_text_cannot_hold_is_cleaned_and_one_of_megabytes_cut(
    work: Callable[..., Worker], runs: Runs
) -> None:
    flow = Flow("messages", max_attempts=1)

    @flow.step
    def fail(run: str) -> None:
        raise RuntimeError(run.encode().decode("unicode_escape") * (1 if "x" in run else 5_000_000))

    work(flow)

    odd = runs.error(runs.start(flow, r"nul \x00 and \ud800"))
    assert odd.startswith("RuntimeError: nul ")
    assert "\0" not in odd
    assert len(runs.error(runs.start(flow, "y"))) <= 8_000


def test_a_handler_that_exits_fails_its_attempt_and_not_the_worker(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("exits", max_attempts=1)

    @flow.step
    def leave(run: int) -> int:
        if run:
            raise SystemExit(run)
        return run

    work(flow, concurrency=1)

    assert runs.error(runs.start(flow, 3)) == "SystemExit: 3"
    assert runs.output(runs.start(flow, 0)) == {"leave": 0}


def test_a_result_that_the_database_refuses_fails_alone(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("oversized", base_delay=0)

    @flow.step
    def items(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[items], fanout=True, max_attempts=1)
    def produce(item: int) -> str:
        return "x" * 10 * item

    # jsonb's own limits take hundreds of megabytes to reach; this one is of the same kind to a worker.
    runs.engine.do("alter table pgflow.step_tasks add constraint short check (length(output::text) <= 450)")
    work(flow)
    good, bad = runs.start(flow, 40), runs.start(flow, 60)

    assert runs.error(bad).startswith("the result cannot be stored: CheckViolation: new row for relation")
    assert runs.output(good) == {"produce": ["x" * 10 * item for item in range(40)]}

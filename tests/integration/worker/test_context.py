"""What ``ctx`` gives a handler in a worker."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from attrs import frozen

from pgflow.dsl import Flow
from pgflow.worker import Context, Worker
from tests.integration.worker.conftest import Runs


@frozen
class Order:
    customer: str
    lines: list[int]


def test_a_fanout_handler_reads_the_run_input_structured_and_its_own(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("orders", input=Order)

    @flow.step
    def lines(run: Order) -> list[int]:
        return run.lines

    @flow.step(depends_on=[lines], fanout=True)
    def ship(item: int, ctx: Context) -> str:
        order = ctx.run_input
        assert isinstance(order, Order)
        order.lines.clear()  # of no concern to the other tasks
        return f"{item} to {order.customer} of {len(ctx.run_input.lines)}"

    work(flow)
    run_id = runs.start(flow, {"customer": "Ada", "lines": [1, 2, 3]})

    assert runs.output(run_id) == {"ship": ["1 to Ada of 0", "2 to Ada of 0", "3 to Ada of 0"]}


def test_the_attempt_is_the_engines_count_and_the_key_the_same_on_every_one(
    work: Callable[..., Worker], runs: Runs
) -> None:
    flow = Flow("keys", base_delay=0)
    seen: list[tuple[int, str]] = []

    @flow.step
    def twice(run: None, ctx: Context) -> None:
        seen.append((ctx.attempt, ctx.idempotency_key))
        if ctx.attempt == 1:
            raise ValueError("again")

    work(flow)
    run_id = runs.start(flow)
    runs.output(run_id)

    assert seen == [(1, f"{run_id}:twice:0"), (2, f"{run_id}:twice:0")]


def test_its_logger_names_the_task(work: Callable[..., Worker], runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    flow = Flow("logging")

    @flow.step
    def say(run: str, ctx: Context) -> None:
        ctx.logger.info("hello %s", run)

    with caplog.at_level(logging.INFO):
        work(flow)
        run_id = runs.start(flow, "world")
        runs.output(run_id)

    assert f"logging.say[0] run {run_id} attempt 1: hello world" in caplog.messages

"""Attempts end on time, whatever their handlers do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Context, Worker
from tests.integration.worker.conftest import Runs
from tests.plugins.waiting import until


def test_a_handler_that_hangs_times_out_and_is_retried(
    work: Callable[..., Worker], runs: Runs, release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Flow("hanging", timeout=1, base_delay=0)
    stopped: list[bool] = []

    @flow.step
    def hang_once(run: None, ctx: Context) -> int:
        if ctx.attempt == 1:
            release.wait(30)
            stopped.append(ctx.should_stop)
        return ctx.attempt

    with caplog.at_level(logging.INFO):
        worker = work(flow, concurrency=1)
        started = time.monotonic()
        run_id = runs.start(flow)

        # The only place is free again although the thread hangs.
        assert runs.output(run_id) == {"hang_once": 2}
        assert 1 <= time.monotonic() - started < 4
        assert worker.stuck == 1
        assert runs.task(run_id, "hang_once")["status"] == "completed"

        release.set()
        until(lambda: worker.stuck == 0)

    assert stopped == [True]
    assert f"hanging.hang_once[0] of run {run_id} timed out after 1 s (attempt 1 of 3)" in caplog.text
    assert "the handler has ended after its attempt, the result is discarded" in caplog.text


def test_the_stored_error_says_how_long_it_took(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    flow = Flow("too-slow", timeout=1, max_attempts=1)

    @flow.step
    def hang(run: None) -> None:
        release.wait(30)

    work(flow)

    assert runs.error(runs.start(flow)) == "timed out after 1 s"


def test_a_late_result_changes_nothing(work: Callable[..., Worker], runs: Runs, release: threading.Event) -> None:
    flow = Flow("late", timeout=1, max_attempts=1)

    @flow.step
    def hang(run: None) -> str:
        release.wait(30)
        return "too late"

    worker = work(flow)
    run_id = runs.start(flow)
    runs.ended(run_id)
    release.set()
    until(lambda: worker.stuck == 0)
    worker.stop()

    assert runs.engine.run(run_id)["status"] == "failed"
    assert runs.task(run_id, "hang")["output"] is None


def test_hanging_handlers_do_not_starve_the_worker(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    flow = Flow("many-hang", timeout=1, max_attempts=1)

    @flow.step
    def maybe(run: bool) -> None:
        if run:
            release.wait(30)

    worker = work(flow, concurrency=2)
    hanging = [runs.start(flow, True) for _ in range(6)]
    for run_id in hanging:
        assert runs.error(run_id) == "timed out after 1 s"

    assert worker.stuck == 6
    assert runs.output(runs.start(flow, False)) == {"maybe": None}


def test_an_executor_of_fixed_size_gets_no_more_than_it_can_run(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    flow = Flow("fixed-size", timeout=1, max_attempts=1)
    started = threading.Event()

    @flow.step
    def hang(run: bool) -> None:
        started.set()
        if run:
            release.wait(30)

    with ThreadPoolExecutor(1) as executor:
        worker = work(flow, concurrency=1, executor=executor)
        assert runs.error(runs.start(flow, True)) == "timed out after 1 s"
        started.clear()
        waiting = runs.start(flow, False)
        until(lambda: runs.engine.messages("fixed-size"))

        # Claimed now, it would time out in the executor's queue.
        assert runs.attempts(waiting, "hang") == 0
        release.set()
        assert runs.output(waiting) == {"hang": None}
        worker.stop()


def test_a_handler_can_ask_how_long_it_has(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("asks", timeout=7)

    @flow.step
    def ask(run: None, ctx: Context) -> list[float]:
        return [ctx.remaining(), ctx.deadline.timestamp()]

    work(flow)
    remaining, deadline = runs.output(runs.start(flow))["ask"]

    assert 5 < remaining <= 7
    assert 5 < deadline - time.time() <= 7

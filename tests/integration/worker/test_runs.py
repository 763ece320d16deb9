"""Whole runs on a worker of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Worker
from tests.integration.worker.conftest import Runs
from tests.plugins.engine import FALSY
from tests.plugins.waiting import until


def test_a_diamond_with_a_fanout_runs_to_its_end(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("diamond")

    @flow.step
    def numbers(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[numbers], fanout=True)
    def square(item: int) -> int:
        return item * item

    @flow.step(depends_on=[numbers])
    def count(numbers: list[int]) -> int:
        return len(numbers)

    @flow.step("the-sum", depends_on=[square, count])
    def add_up(deps: Mapping[str, Any]) -> dict[str, int]:
        return {"sum": sum(deps["square"]), "count": deps["count"]}

    work(flow)

    assert runs.output(runs.start(flow, 30)) == {"the-sum": {"sum": 8555, "count": 30}}


@pytest.mark.parametrize("value", FALSY, ids=repr)
def test_falsy_results_are_stored_as_they_are(value: Any, work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("falsy")

    @flow.step
    def echo(run: Any) -> Any:
        return run

    work(flow)

    output = runs.output(runs.start(flow, value))["echo"]
    assert (output, type(output)) == (value, type(value))


def test_a_sleeping_worker_is_woken_by_a_start(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("prompt")

    @flow.step
    def now(run: None) -> None:
        return None

    worker = work(flow)
    assert worker._crew is not None
    # By now the next look without a notification is more than a second away.
    until(lambda: worker._crew is not None and worker._crew.claimer._pause > 1)
    started = time.monotonic()
    runs.output(runs.start(flow))

    assert time.monotonic() - started < 1


def test_a_run_that_waits_when_the_worker_starts_is_worked(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("waiting")

    @flow.step
    def late(run: int) -> int:
        return run

    runs.define(flow)
    run_id = runs.start(flow, 3)
    work(flow)

    assert runs.output(run_id) == {"late": 3}


def test_a_start_delay_is_kept_and_not_slept_over(work: Callable[..., Worker], runs: Runs) -> None:
    flow = Flow("delayed")

    @flow.step(start_delay=1)
    def later(run: None) -> None:
        return None

    work(flow)
    started = time.monotonic()
    runs.output(runs.start(flow))

    assert 1 <= time.monotonic() - started < 2.5


def test_a_slow_task_keeps_no_free_slot_idle(work: Callable[..., Worker], runs: Runs, release: threading.Event) -> None:
    flow = Flow("uneven")

    @flow.step
    def work_on(run: str) -> str:
        if run == "slow":
            release.wait(30)
        return run

    work(flow, concurrency=2)
    slow = runs.start(flow, "slow")
    until(lambda: runs.task(slow, "work_on")["status"] == "started")
    for _ in range(5):
        assert runs.output(runs.start(flow, "quick")) == {"work_on": "quick"}

    assert runs.task(slow, "work_on")["status"] == "started"
    release.set()
    assert runs.output(slow) == {"work_on": "slow"}


def test_no_more_is_claimed_than_can_start(work: Callable[..., Worker], runs: Runs, release: threading.Event) -> None:
    flow = Flow("crowded")

    @flow.step
    def items(run: int) -> list[int]:
        return list(range(run))

    @flow.step(depends_on=[items], fanout=True)
    def hold(item: int) -> int:
        release.wait(30)
        return item

    work(flow, concurrency=3)
    run_id = runs.start(flow, 10)
    until(lambda: [task["status"] for task in runs.engine.tasks(run_id, "hold")].count("started") == 3)

    claimed = runs.engine.value(
        "select count(*) from pgflow.step_tasks where attempts_count > 0 and step_slug = 'hold'"
    )
    assert claimed == 3
    release.set()
    runs.output(run_id)


def test_a_large_fanout_does_not_starve_another_flow(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    big, small = Flow("big"), Flow("small")
    worked: list[str] = []

    @big.step
    def items(run: int) -> list[int]:
        return list(range(run))

    @big.step(depends_on=[items], fanout=True)
    def item_of_big(item: int) -> None:
        worked.append("big")

    @small.step
    def only(run: None) -> None:
        worked.append("small")

    work(big, small, concurrency=1)
    crowd = runs.start(big, 400)
    until(lambda: len(worked) > 5)
    runs.output(runs.start(small))

    assert worked.index("small") < 200
    runs.output(crowd)


def test_a_step_that_the_code_does_not_have_fails_with_a_sentence(work: Callable[..., Worker], runs: Runs) -> None:
    newer, older = Flow("deployed", max_attempts=1), Flow("deployed", max_attempts=1)
    for flow in (newer, older):

        @flow.step
        def first(run: None) -> None:
            return None

    work(older)
    runs.engine.call("add_step", flow_slug="deployed", step_slug="second", deps_slugs=["first"])

    assert runs.error(runs.start(newer)) == (
        "UnknownStepError: this worker's flow 'deployed' has no step 'second': it runs other code than the flow was "
        "defined by"
    )

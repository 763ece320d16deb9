"""Handlers on executors other than the worker's own threads."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Context, FailPermanently, Worker
from tests.integration.worker.conftest import Runs
from tests.plugins.waiting import until

flow = Flow("on-processes", base_delay=0, max_attempts=2)


@flow.step
def numbers(run: int) -> list[int]:
    return list(range(run))


@flow.step(depends_on=[numbers], fanout=True)
def where(item: int, ctx: Context) -> list[int]:
    return [os.getpid(), item, ctx.run_input, ctx.task_index]


@flow.step(depends_on=[where])
def check(where: list[list[int]]) -> int:
    if len(where) > 5:
        raise FailPermanently("too many")
    return len(where)


def test_handlers_run_as_a_process_pool_says(work: Callable[..., Worker], runs: Runs) -> None:
    work(flow, executor=ProcessPoolExecutor(2, multiprocessing.get_context("spawn")))
    run_id = runs.start(flow, 4)
    assert runs.output(run_id) == {"check": 4}
    outputs = runs.engine.step(run_id, "where")["output"]
    assert [output[1:] for output in outputs] == [[n, 4, n] for n in range(4)]
    assert os.getpid() not in {output[0] for output in outputs}

    failed = runs.start(flow, 6)
    assert runs.error(failed) == "too many"
    assert "FailPermanently" in runs.task(failed, "check")["traceback"]


def test_an_executor_that_takes_nothing_any_more_stops_the_worker_and_loses_nothing(dsn: str, runs: Runs) -> None:
    executor = ThreadPoolExecutor(1)
    worker = Worker(flow, dsn, executor=executor, concurrency=1)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except RuntimeError as error:
            errors.append(error)

    running = threading.Thread(target=run)
    running.start()
    until(lambda: worker._crew is not None)
    executor.shutdown()
    run_id = runs.start(flow, 1)
    running.join(20)

    assert "cannot schedule new futures after shutdown" in str(errors[0])
    assert runs.attempts(run_id, "numbers") == 0
    with Worker(flow, dsn):
        assert runs.output(run_id) == {"check": 1}


def test_the_worker_leaves_an_executor_it_was_given_alone(work: Callable[..., Worker]) -> None:
    with ThreadPoolExecutor(1) as executor:
        work(flow, executor=executor).stop()

        assert executor.submit(lambda: "still open").result(5) == "still open"


def test_no_more_is_claimed_than_the_executor_can_run(
    work: Callable[..., Worker], runs: Runs, release: threading.Event
) -> None:
    crowd = Flow("crowd")

    @crowd.step
    def hold(run: int) -> int:
        release.wait(30)
        return run

    with ThreadPoolExecutor(2) as executor:
        worker = work(crowd, executor=executor, concurrency=5)
        run_ids = [runs.start(crowd, number) for number in range(4)]
        until(lambda: worker._crew is not None and len(worker._crew.inflight.running()) == 2)
        assert worker._crew is not None
        assert worker._crew.inflight.free() == 0
        assert sum(runs.attempts(run_id, "hold") for run_id in run_ids) == 2
        release.set()
        assert [runs.output(run_id) for run_id in run_ids] == [{"hold": number} for number in range(4)]
        worker.stop()


class Fussy(ThreadPoolExecutor):
    """Sends what it takes, as a cluster would, before `submit` returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        pickle.dumps((fn, args, kwargs))
        return super().submit(fn, *args, **kwargs)


def test_a_call_that_cannot_be_sent_fails_and_the_worker_goes_on(work: Callable[..., Worker], runs: Runs) -> None:
    local = Flow("local", max_attempts=1)

    @local.step
    def unreachable(run: None) -> None:
        return None

    with Fussy(1) as executor:
        worker = work(local, flow, executor=executor, concurrency=1)
        run_id = runs.start(local)

        assert "unreachable" in runs.error(run_id)
        assert runs.output(runs.start(flow, 1)) == {"check": 1}
        worker.stop()


@pytest.mark.parametrize("option", [{"concurrency": 0}, {"lease": 0}])
def test_options_that_cannot_be_are_refused(option: dict[str, int], dsn: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Worker(flow, dsn, **option)  # type: ignore[arg-type]

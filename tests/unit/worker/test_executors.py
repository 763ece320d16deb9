from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
from attrs import evolve

from pgflow.worker.executors import executor_for, start_call, stop_call
from pgflow.worker.failures import RemoteError
from pgflow.worker.handler_process import Recipe
from pgflow.worker.processes import HandlerProcesses
from pgflow.worker.steps import KnownStep
from pgflow.worker.threads import HandlerThreads
from tests.plugins.waiting import DEADLINE
from tests.unit.worker.scripted import STEP, attempt


class Elsewhere(Executor):
    """Keeps what it is given, and runs it when told to, as a cluster with a queue would."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls.append((fn, args))
        return Future()

    def run(self) -> Any:
        fn, args = self.calls.pop(0)
        return fn(*args)


class Fussy(Elsewhere):
    """Takes only what it can send to another process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if args:
            raise TypeError("cannot pickle a socket")
        return super().submit(fn)


class Closed(Elsewhere):
    """Takes nothing any more."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise RuntimeError("it was closed")


def step(call: Callable[..., Any]) -> KnownStep:
    return evolve(STEP, call=call)


def test_without_one_handlers_run_on_threads() -> None:
    executor, places = executor_for(None, 7)

    assert isinstance(executor, HandlerThreads)
    assert places == 7


def test_a_process_pool_says_how_processes_are_made() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, context, os.nice, (0,), max_tasks_per_child=9) as given:
        executor, places = executor_for(given, 10)

        assert isinstance(executor, HandlerProcesses)
        assert executor._recipe == Recipe(context, os.nice, (0,), 9)
        assert places == 3
        executor.shutdown()


def test_the_defaults_of_a_process_pool_are_kept() -> None:
    with ProcessPoolExecutor() as given:
        executor, places = executor_for(given, 1000)

        assert isinstance(executor, HandlerProcesses)
        assert executor._recipe == Recipe(multiprocessing.get_context())
        assert places == os.cpu_count()
        executor.shutdown()


def test_a_pool_of_another_class_is_used_itself() -> None:
    class Own(ProcessPoolExecutor):
        pass

    with Own(2) as given:
        assert executor_for(given, 10) == (given, 2)


def test_a_small_pool_is_the_limit_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(2) as given, caplog.at_level(logging.INFO):
        assert executor_for(given, 2) == (given, 2)
        assert executor_for(given, 1) == (given, 1)
        assert caplog.messages == []

        assert executor_for(given, 5) == (given, 2)
        assert caplog.messages == [
            "the executor runs 2 handlers at a time, so the worker claims no more, in spite of a concurrency of 5"
        ]


def test_two_attempts_are_never_the_same_call() -> None:
    executor = Elsewhere()
    first, second = attempt(), attempt()
    second.record = evolve(first.record, token=2)
    start_call(executor, first)
    start_call(executor, second)

    assert first.record.input == second.record.input
    assert executor.calls[0][1][0] != executor.calls[1][1][0]


def test_what_a_handler_raises_elsewhere_is_described_there() -> None:
    def fail(task_input: object, ctx: object) -> None:
        raise LookupError("no such page")

    executor = Elsewhere()
    start_call(executor, attempt(step(fail)))

    with pytest.raises(RemoteError) as raised:
        executor.run()
    assert raised.value.message == "LookupError: no such page"
    assert "in fail" in str(raised.value)


def test_what_an_executor_begins_too_late_is_not_run() -> None:
    ran = []
    executor = Elsewhere()
    late = attempt(step(lambda task_input, ctx: ran.append("ran")), ends_in=-1)
    future = start_call(executor, late)

    # That it could be cancelled would say nothing about whether it runs.
    assert not stop_call(executor, future)
    assert not future.cancelled()
    with pytest.raises(RemoteError, match="its time was up before the executor began it"):
        executor.run()
    assert ran == []


def test_what_cannot_be_sent_is_the_calls_own_fault() -> None:
    assert str(start_call(Fussy(), attempt()).exception(DEADLINE)) == "cannot pickle a socket"


def test_an_executor_that_takes_nothing_says_so_itself() -> None:
    with pytest.raises(RuntimeError, match="it was closed"):
        start_call(Closed(), attempt())

from __future__ import annotations

import threading
from functools import partial

import pytest

from pgflow.client.dispatch import Dispatcher
from tests.plugins.waiting import DEADLINE


def test_calls_are_made_in_order_on_one_thread_that_is_not_the_caller_s() -> None:
    dispatcher = Dispatcher()
    calls: list[int] = []
    threads: set[threading.Thread] = set()

    def call(number: int) -> None:
        calls.append(number)
        threads.add(threading.current_thread())

    for number in range(100):
        dispatcher.submit(partial(call, number))

    assert dispatcher.drain(DEADLINE)
    assert calls == list(range(100))
    assert len(threads) == 1
    assert threading.current_thread() not in threads


def test_an_exception_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Dispatcher()
    calls: list[str] = []
    dispatcher.submit(lambda: 1 / 0)
    dispatcher.submit(lambda: calls.append("after"))

    assert dispatcher.drain(DEADLINE)
    assert calls == ["after"]
    assert "ZeroDivisionError" in caplog.text


def test_draining_waits_for_the_call_that_runs_and_no_longer_than_it_may() -> None:
    dispatcher = Dispatcher()
    may_end = threading.Event()
    dispatcher.submit(lambda: may_end.wait(DEADLINE))

    assert not dispatcher.drain(0.01)
    may_end.set()
    assert dispatcher.drain(DEADLINE)


def test_a_receiver_may_drain_without_waiting_for_itself() -> None:
    dispatcher = Dispatcher()
    answers: list[bool] = []
    dispatcher.submit(lambda: answers.append(dispatcher.drain(DEADLINE)))

    assert dispatcher.drain(DEADLINE)
    assert answers == [False]

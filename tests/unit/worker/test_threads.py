from __future__ import annotations

import threading

import pytest

from pgflow.worker.threads import HandlerThreads, spawn
from tests.plugins.waiting import until


def test_an_idle_thread_is_used_again() -> None:
    threads = HandlerThreads(keep=2)
    first = threads.submit(threading.get_ident).result(5)
    until(lambda: threads._idle == 1)

    assert threads.submit(threading.get_ident).result(5) == first
    threads.shutdown()


def test_a_call_that_hangs_takes_no_place_from_the_next() -> None:
    threads = HandlerThreads(keep=1)
    release = threading.Event()
    hanging = [threads.submit(release.wait, 30) for _ in range(5)]

    assert threads.submit(lambda: "ran").result(5) == "ran"

    release.set()
    assert [call.result(5) for call in hanging] == [True] * 5
    threads.shutdown()


def test_an_exception_of_any_kind_belongs_to_the_call() -> None:
    threads = HandlerThreads(keep=1)

    def leave() -> None:
        raise SystemExit(3)

    assert isinstance(threads.submit(leave).exception(5), SystemExit)
    assert threads.submit(lambda: "still here").result(5) == "still here"
    threads.shutdown()


def test_after_shutdown_calls_are_refused_and_threads_end() -> None:
    threads = HandlerThreads(keep=4)
    workers = [threads.submit(threading.current_thread).result(5) for _ in range(3)]
    threads.shutdown()
    threads.shutdown()

    for worker in workers:
        worker.join(5)
        assert not worker.is_alive()
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(print)


def test_threads_do_not_keep_the_process_alive() -> None:
    threads = HandlerThreads(keep=1)

    assert threads.submit(threading.current_thread).result(5).daemon
    threads.shutdown()


def test_a_crash_of_a_thread_is_told() -> None:
    crashed: list[tuple[str, BaseException]] = []
    error = ZeroDivisionError()

    def fail() -> None:
        raise error

    spawn("claim", fail, lambda name, raised: crashed.append((name, raised))).join(5)

    assert crashed == [("claim", error)]

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pgflow.worker.inflight import Attempt, InFlight
from pgflow.worker.timeouts import Timeouts
from tests.plugins.waiting import until
from tests.unit.worker.scripted import attempt, done


class Setup:
    def __init__(self) -> None:
        self.inflight = InFlight(10)
        self.expired: list[Attempt] = []
        self.timeouts = Timeouts(self.inflight, self._expire)
        self.thread = threading.Thread(target=self.timeouts.run)

    def _expire(self, expired: Attempt) -> None:
        self.inflight.settle(expired, done(expired))
        self.expired.append(expired)

    def begin(self, ends_in: float) -> Attempt:
        begun = attempt(ends_in=ends_in)
        self.inflight.begin(begun)
        self.timeouts.watch(begun)
        return begun


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    made.thread.start()
    yield made
    made.timeouts.stop()
    made.thread.join(10)
    assert not made.thread.is_alive()


def test_an_attempt_expires_when_its_time_is_up_and_not_before(setup: Setup) -> None:
    late, soon = setup.begin(60), setup.begin(0.05)

    until(lambda: setup.expired)

    assert setup.expired == [soon]
    assert setup.inflight.is_running(late)


def test_one_that_begins_later_may_expire_earlier(setup: Setup) -> None:
    setup.begin(60)
    until(lambda: setup.timeouts._next < float("inf"))
    soon = setup.begin(0.02)

    until(lambda: setup.expired == [soon])


def test_one_that_ended_in_time_does_not_expire(setup: Setup) -> None:
    ended = setup.begin(0.05)
    setup.inflight.settle(ended, done(ended))
    other = setup.begin(0.1)

    until(lambda: setup.expired)

    assert setup.expired == [other]

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

import psycopg
import pytest

from pgflow.models import TaskKey
from pgflow.worker.inflight import InFlight
from pgflow.worker.outages import Health
from pgflow.worker.upkeep import Upkeep
from tests.plugins.waiting import until
from tests.unit.worker.scripted import Scripted, attempt, done


class Setup:
    def __init__(self, lease: float = 0.15) -> None:
        self.processor = Scripted()
        self.extended: list[list[TaskKey]] = []
        self.processor.extend = self.keep
        self.inflight = InFlight(10)
        self.registered = 0
        self.upkeep = Upkeep(
            self.processor, self.inflight, uuid4(), lease, self.register, Health().link("extending leases")
        )
        self.thread = threading.Thread(target=self.upkeep.run)

    def register(self) -> None:
        self.registered += 1

    def keep(self, keys: Sequence[TaskKey]) -> list[TaskKey]:
        self.extended.append(list(keys))
        return []


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    yield made
    made.upkeep.stop()
    made.thread.join(10)
    assert not made.thread.is_alive()


def test_all_that_is_held_is_extended_in_one_statement_again_and_again(setup: Setup) -> None:
    running, ended = attempt(), attempt()
    setup.inflight.begin(running)
    setup.inflight.begin(ended)
    setup.inflight.settle(ended, done(ended))  # but not reported yet
    setup.thread.start()

    until(lambda: len(setup.extended) >= 3)

    assert all(set(keys) == {running.record.key, ended.record.key} for keys in setup.extended)


def test_nothing_is_asked_while_nothing_is_held(setup: Setup) -> None:
    setup.upkeep.extend()

    assert setup.extended == []
    setup.thread.start()


def test_a_lost_attempt_is_told_to_stop_and_let_go(setup: Setup) -> None:
    lost, kept = attempt(), attempt()
    setup.inflight.begin(lost)
    setup.inflight.begin(kept)
    setup.processor.extend = lambda keys: [lost.record.key]
    setup.upkeep.extend()

    assert lost.context.should_stop
    assert not kept.context.should_stop
    setup.processor.extend = setup.keep
    setup.upkeep.extend()
    assert setup.extended == [[kept.record.key]]
    setup.thread.start()


def test_one_that_was_reported_meanwhile_is_not_lost(setup: Setup) -> None:
    one = attempt()
    setup.inflight.begin(one)

    def report_meanwhile(keys: Sequence[TaskKey]) -> list[TaskKey]:
        setup.inflight.settle(one, done(one))
        return list(keys)

    setup.processor.extend = report_meanwhile
    setup.upkeep.extend()

    assert not one.lost
    setup.thread.start()


def test_after_an_outage_it_goes_on(setup: Setup) -> None:
    setup.inflight.begin(attempt())
    failures: list[float] = []

    def extend(keys: Sequence[TaskKey]) -> list[TaskKey]:
        if len(failures) < 2:
            failures.append(time.monotonic())
            raise psycopg.OperationalError("gone")
        setup.extended.append(list(keys))
        return []

    setup.processor.extend = extend
    setup.thread.start()

    until(lambda: setup.extended)
    assert failures[1] - failures[0] >= 0.05


def test_a_worker_that_is_known_beats_and_does_no_more(setup: Setup) -> None:
    setup.upkeep.beat()

    assert setup.processor.count("heartbeat") == 1
    assert setup.registered == 0
    setup.thread.start()


def test_a_worker_that_has_been_forgotten_registers_again(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgflow.worker.upkeep._HEARTBEAT", 0.02)
    setup.processor.beat = lambda: setup.registered > 0
    setup.thread.start()

    until(lambda: setup.processor.count("heartbeat") >= 3)
    assert setup.registered == 1

"""When the claimer claims, says that it sleeps, and sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from uuid import uuid4

import psycopg
import pytest

from pgflow.models import TaskRecord
from pgflow.worker.claimer import Claimer
from pgflow.worker.inflight import Attempt, InFlight
from pgflow.worker.outages import Health
from tests.plugins.waiting import until
from tests.unit.worker.scripted import STEP, Scripted, attempt, done


class Setup:
    """A claimer with places, whose tasks run until the test ends them."""

    def __init__(self, places: int = 2, flows: tuple[str, ...] = ("flow",), lease: float = 30) -> None:
        self.processor = Scripted()
        self.inflight = InFlight(places)
        self.begun: list[Attempt] = []
        self.more_to_come = True
        self.health = Health()
        self.claimer = Claimer(
            self.processor, flows, uuid4(), lease, self.health.link("claiming"), self.inflight, self._begin
        )
        self.inflight.on_free = lambda: self.claimer.wake(due_changed=False)
        self.thread = threading.Thread(target=self.claimer.run)

    def _begin(self, record: TaskRecord, claimed_at: float) -> bool:
        begun = Attempt(record, STEP, attempt().context, claimed_at + 60)
        self.inflight.begin(begun)
        self.begun.append(begun)
        return self.more_to_come

    def end(self, ended: Attempt) -> None:
        self.inflight.settle(ended, done(ended))


@pytest.fixture
def make() -> Iterator[Callable[..., Setup]]:
    made: list[Setup] = []

    def make(**options: object) -> Setup:
        made.append(Setup(**options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for setup in made:
        setup.claimer.stop()
        if setup.thread.ident is not None:
            setup.thread.join(10)
            assert not setup.thread.is_alive()


def supply(setup: Setup, count: int) -> None:
    """Let so many tasks be there."""
    waiting = [attempt().record for _ in range(count)]
    setup.processor.claim = lambda qty: [waiting.pop() for _ in range(min(qty, len(waiting)))]


def test_it_claims_what_can_start_now_and_nothing_while_all_places_are_taken(make: Callable[..., Setup]) -> None:
    setup = make(places=2)
    supply(setup, 5)
    setup.thread.start()

    until(lambda: len(setup.begun) == 2)
    setup.claimer.wake()
    setup.claimer.wake()

    assert setup.processor.asked == [2]


def test_a_freed_place_is_filled_without_waiting_for_the_others(make: Callable[..., Setup]) -> None:
    setup = make(places=2)
    supply(setup, 3)
    setup.thread.start()
    until(lambda: len(setup.begun) == 2)

    setup.end(setup.begun[0])

    until(lambda: len(setup.begun) == 3)
    assert setup.processor.asked == [2, 1]


def test_after_an_empty_claim_it_says_that_it_sleeps_and_claims_again_at_once(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.thread.start()

    until(lambda: len(setup.processor.calls) >= 4)

    assert setup.processor.calls[:4] == ["claim", "sleep", "claim", "claim"]


def test_pauses_between_empty_claims_grow(make: Callable[..., Setup]) -> None:
    setup = make()
    times: list[float] = []

    def claim(qty: int) -> list[TaskRecord]:
        times.append(time.monotonic())
        return []

    setup.processor.claim = claim
    setup.thread.start()

    until(lambda: len(times) >= 6)

    # The first two claims are before and right after the mark; then come 10, 20, 40 and 80 ms at least.
    gaps = [later - earlier for earlier, later in pairwise(times[1:])]
    assert all(gap >= pause for gap, pause in zip(gaps, [0.01, 0.02, 0.04, 0.08], strict=False))
    assert setup.processor.count("sleep") == 1


def test_a_notification_during_an_empty_claim_is_not_lost(make: Callable[..., Setup]) -> None:
    setup = make()
    waiting: list[TaskRecord] = []
    asleep = threading.Event()

    def claim(qty: int) -> list[TaskRecord]:
        if waiting:
            return [waiting.pop()]
        if setup.processor.count("claim") == 9:
            # Sent after this claim has looked, notified before it returns: the classic lost wake-up.
            waiting.append(attempt().record)
            setup.claimer.wake()
            asleep.set()
        return []

    setup.processor.claim = claim
    setup.thread.start()
    assert asleep.wait(10)
    noticed = time.monotonic()

    until(lambda: setup.begun)
    # The pause would have been 1.28 s by now.
    assert time.monotonic() - noticed < 0.6


def test_it_wakes_when_the_next_message_is_due(make: Callable[..., Setup]) -> None:
    setup = make()
    due_at = time.monotonic() + 0.9
    waiting = [attempt().record]
    claimed: list[float] = []

    def claim(qty: int) -> list[TaskRecord]:
        if waiting and time.monotonic() >= due_at:
            claimed.append(time.monotonic())
            return [waiting.pop()]
        return []

    setup.processor.claim = claim
    setup.processor.due = lambda: max(due_at - time.monotonic(), 0) if waiting else None
    setup.thread.start()

    until(lambda: setup.begun)
    # Without it, the claims would have been at 0.63 and 1.27 s.
    assert claimed[0] - due_at < 0.2


def test_it_learns_when_a_message_is_due_that_another_was_just_taking(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgflow.worker.claimer._UNTIL_TAKEN", 0.2)
    setup = make()
    due_at = time.monotonic() + 0.9
    asked = iter([0.0])
    setup.processor.claim = lambda qty: [attempt().record] if time.monotonic() >= due_at else []
    setup.processor.due = lambda: next(asked, max(due_at - time.monotonic(), 0))
    setup.thread.start()

    until(lambda: setup.begun)
    # Without it, the claims would have been at 0.63 and 1.27 s.
    assert time.monotonic() - due_at < 0.2


def test_a_message_that_is_due_but_cannot_be_had_is_no_reason_to_hurry(make: Callable[..., Setup]) -> None:
    setup = make()
    setup.processor.due = lambda: 0.0
    setup.thread.start()

    until(lambda: setup.processor.count("claim") >= 7)

    assert setup.processor.count("sleep") == 1


def test_the_mark_is_renewed_before_it_ends(make: Callable[..., Setup]) -> None:
    setup = make(lease=0.1)
    setup.thread.start()

    until(lambda: setup.processor.count("sleep") >= 3)


def test_a_claim_that_brings_something_takes_the_mark_away(make: Callable[..., Setup]) -> None:
    setup = make(places=5)
    setup.thread.start()
    until(lambda: setup.processor.count("sleep") == 1)
    supply(setup, 1)
    setup.claimer.wake()
    until(lambda: setup.begun)

    until(lambda: setup.processor.count("sleep") >= 2)


def test_every_flow_is_asked_first_in_turn(make: Callable[..., Setup]) -> None:
    setup = make(flows=("a", "b", "c"))
    setup.thread.start()

    until(lambda: len(setup.processor.flow_order) >= 3)

    assert sorted(order[0] for order in setup.processor.flow_order[:3]) == ["a", "b", "c"]


def test_an_outage_is_no_hot_loop(make: Callable[..., Setup]) -> None:
    setup = make()
    times: list[float] = []

    def claim(qty: int) -> list[TaskRecord]:
        times.append(time.monotonic())
        raise psycopg.OperationalError("gone")

    setup.processor.claim = claim
    setup.thread.start()
    until(lambda: len(times) >= 4)
    for _ in range(100):
        setup.claimer.wake()  # a listener that reconnects in vain

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap >= pause for gap, pause in zip(gaps, [0.05, 0.1, 0.2], strict=False))


def test_it_claims_nothing_before_the_results_of_an_outage_are_reported(make: Callable[..., Setup]) -> None:
    setup = make()
    reporting = setup.health.link("reporting")
    reporting.failed(psycopg.OperationalError("gone"))
    setup.thread.start()
    setup.claimer.wake()
    setup.claimer.wake()
    assert setup.processor.calls == []

    reporting.succeeded()

    until(lambda: setup.processor.count("claim"))


def test_what_a_claim_brings_after_the_stop_is_handed_back(make: Callable[..., Setup]) -> None:
    setup = make()
    records = [attempt().record, attempt().record]

    def claim(qty: int) -> list[TaskRecord]:
        setup.claimer.stop()
        return records

    setup.processor.claim = claim
    setup.thread.start()
    setup.thread.join(10)

    assert setup.begun == []
    assert setup.processor.released == [record.key for record in records]


def test_it_waits_a_moment_for_what_its_own_tasks_make_and_not_where_they_make_nothing(
    make: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgflow.worker.claimer._LINGER", 60)
    last, first = make(places=2), make(places=2)
    last.more_to_come = False
    for setup in (last, first):
        supply(setup, 1)
        setup.thread.start()

    until(lambda: last.processor.count("sleep") == 1)
    until(lambda: first.begun)
    assert first.processor.count("sleep") == 0
    first.claimer.wake(due_changed=False)
    until(lambda: first.processor.count("sleep") == 1)


def test_what_cannot_be_started_is_handed_back(make: Callable[..., Setup]) -> None:
    setup = make(places=3)
    supply(setup, 3)

    def refuse(record: TaskRecord, claimed_at: float) -> bool:
        if setup.begun:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return setup._begin(record, claimed_at)

    setup.claimer._begin = refuse
    with pytest.raises(RuntimeError, match="cannot schedule"):
        setup.claimer.run()

    assert len(setup.begun) == 1
    assert len(setup.processor.released) == 2


def test_stop_ends_a_sleep_at_once(make: Callable[..., Setup]) -> None:
    setup = make(places=1)
    supply(setup, 1)
    setup.thread.start()
    until(lambda: setup.begun)

    setup.claimer.stop()
    setup.thread.join(5)

    assert not setup.thread.is_alive()

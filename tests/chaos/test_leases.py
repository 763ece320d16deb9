"""Every lost lease needs a reason, and a granted one holds."""

from __future__ import annotations

from attrs import evolve

from tests.chaos.crafted import LAST, A, B, call, change, sound
from tests.chaos.history import GAVE_UP, Attempt, Call, History, Mishap, Stall
from tests.chaos.leases import lost_leases


def without_mishap() -> History:
    history = sound()
    history.mishaps = []
    return history


def test_a_lease_that_is_lost_with_its_holder_is_explained() -> None:
    assert list(lost_leases(sound())) == []


def test_a_lease_that_is_lost_for_nothing_is_not() -> None:
    (wrong,) = lost_leases(without_mishap())

    assert "though nothing had happened to its holder" in wrong


def test_what_happened_to_somebody_else_is_no_reason() -> None:
    history = sound()
    history.mishaps = [Mishap("kill", frozenset([B]), 1.5)]

    assert list(lost_leases(history)) != []


def test_what_was_over_when_the_lease_was_granted_is_no_reason() -> None:
    history = sound()
    history.mishaps = [Mishap("suspension", frozenset([A]), 0.6, 0.9)]
    assert list(lost_leases(history)) != []

    history.mishaps = [Mishap("restart", None, 0.9, 1.1)]
    assert list(lost_leases(history)) == []


def test_a_worker_that_does_not_extend_at_all_has_no_excuse() -> None:
    history = without_mishap()
    history.calls = [each for each in history.calls if each.kind != "extend"]

    assert list(lost_leases(history)) != []


def test_a_granted_lease_holds_whatever_happens() -> None:
    history = sound()
    # Extended at 1.0 and at 2.0, and yet taken at 3.5.
    history.calls = [*history.calls, call(A, "extend", LAST, 1, 2.0)]

    (wrong,) = lost_leases(history)
    assert "was taken from its holder 0.500 s before the end of the lease" in wrong


def test_a_claim_grants_a_lease_too() -> None:
    history = sound()
    queued, started, _, completed = history.task_changes[LAST]
    history.task_changes = {LAST: [queued, started, change(LAST, "started", "started", 2, 2, B, 2.0), completed]}
    history.calls = [each for each in history.calls if each.kind != "extend"]

    (wrong,) = lost_leases(history)
    assert "before the end of the lease" in wrong


def test_an_extension_that_was_refused_or_not_answered_in_time_grants_nothing() -> None:
    history = sound()
    attempt = Attempt(LAST, 1)
    history.calls = [
        *history.calls,
        call(A, "extend", LAST, 1, 2.0, ignored=True),
        Call(A, "extend", (attempt,), 2.0, 2.1, answered=False),
        Call(A, "extend", (attempt,), 2.0, None),
        Call(A, "extend", (attempt,), 3.4, 3.495),
    ]

    assert list(lost_leases(history)) == []


def test_a_process_that_stood_still_for_most_of_the_lease_is_excused() -> None:
    history = without_mishap()
    history.stalls = [Stall(A, 1.2, 1.7), Stall(A, 2.0, 2.4)]
    assert list(lost_leases(history)) != []

    history.stalls = [Stall(A, 1.2, 1.7), Stall(A, 2.0, 2.4), Stall(A, 2.3, 2.6)]
    assert list(lost_leases(history)) == []
    history.stalls = [Stall(B, 1.2, 2.6)]
    assert list(lost_leases(history)) != []


def test_so_is_one_that_waited_for_the_database() -> None:
    history = without_mishap()
    history.calls = [*history.calls, Call(A, "extend", (Attempt(LAST, 1),), 1.7, 2.8, answered=False)]

    assert list(lost_leases(history)) == []


def test_a_task_that_is_given_up_was_lost_too() -> None:
    history = without_mishap()
    queued, started, *_ = history.task_changes[LAST]
    gave_up = change(LAST, "started", "failed", 1, 1, A, 3.5)
    history.task_changes = {LAST: [queued, started, gave_up]}
    assert list(lost_leases(history)) == []  # a handler's own verdict

    history.task_changes = {LAST: [queued, started, evolve(gave_up, error_message=f"{GAVE_UP} 1 attempts: …")]}
    assert list(lost_leases(history)) != []

"""Snapshots and events in any order: states only move forward, and each event is told once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from attrs import evolve

from pgflow.client.state import RunState
from pgflow.events import Event, RunCompleted, RunFailed, RunStarted, StepCompleted, StepFailed, StepStarted, replay
from pgflow.models import RunRow, RunSnapshot, RunStatus, StepRow, StepStatus

RUN = UUID(int=1)
START = datetime(2026, 1, 2, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


ROW = RunRow(RUN, "flow", RunStatus.STARTED, None, None, None, 2, at(0), None, None)
CREATED = StepRow(RUN, "?", StepStatus.CREATED, 1, None, 1, None, None, at(0), None, None, None)
A_STARTED = evolve(
    CREATED, step_slug="a", status=StepStatus.STARTED, remaining_tasks=1, remaining_deps=0, started_at=at(0)
)
A_COMPLETED = evolve(A_STARTED, status=StepStatus.COMPLETED, remaining_tasks=0, output=1, completed_at=at(1))
B_CREATED = evolve(CREATED, step_slug="b")
B_STARTED = evolve(A_STARTED, step_slug="b", started_at=at(1))
B_COMPLETED = evolve(B_STARTED, status=StepStatus.COMPLETED, remaining_tasks=0, output=2, completed_at=at(2))

#: A chain of two steps, as the tables show it after each of its four transactions.
BEFORE = RunSnapshot(ROW, (A_STARTED, B_CREATED))
BETWEEN = RunSnapshot(evolve(ROW, remaining_steps=1), (A_COMPLETED, B_STARTED))
AFTER = RunSnapshot(
    evolve(ROW, status=RunStatus.COMPLETED, remaining_steps=0, output={"b": 2}, completed_at=at(2)),
    (A_COMPLETED, B_COMPLETED),
)
EVENTS: list[Event] = replay(AFTER)


def test_the_first_snapshot_is_replayed_from_the_run_s_start() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BEFORE)

    assert state.log == EVENTS[:2]


def test_events_bring_rows_to_where_a_snapshot_would() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BEFORE)
    for event in EVENTS:
        state.apply_event(event)

    assert state.run == AFTER.run
    assert tuple(state.steps.values()) == AFTER.steps
    assert state.log == EVENTS
    assert state.is_over


@pytest.mark.parametrize("snapshots", list(itertools.product([BEFORE, BETWEEN, AFTER], repeat=3)))
def test_snapshots_in_any_order_between_events_tell_each_event_once_and_in_order(
    snapshots: tuple[RunSnapshot, ...],
) -> None:
    state = RunState(ROW)
    state.apply_snapshot(snapshots[0])
    for event, snapshot in zip(EVENTS, itertools.cycle(snapshots), strict=False):
        state.apply_event(event)
        state.apply_snapshot(snapshot)

    assert state.log == EVENTS
    assert state.run == AFTER.run
    assert tuple(state.steps.values()) == AFTER.steps


def test_an_older_snapshot_never_overwrites_a_newer_event() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BEFORE)
    state.apply_event(EVENTS[2])
    state.apply_snapshot(BEFORE)

    assert state.steps["a"].status is StepStatus.COMPLETED
    assert state.run.remaining_steps == 1


def test_nothing_moves_a_run_that_is_over() -> None:
    state = RunState(ROW)
    state.apply_snapshot(AFTER)
    state.apply_event(RunFailed(RUN, "late", at(9)))
    state.apply_snapshot(BEFORE)

    assert state.run == AFTER.run
    assert state.log == EVENTS


def test_a_start_that_comes_after_its_completion_is_no_news() -> None:
    state = RunState(ROW)
    state.apply_snapshot(RunSnapshot(ROW, (evolve(B_CREATED, step_slug="a"),)))
    state.apply_event(StepCompleted(RUN, "a", 1, at(1)))
    state.apply_event(StepStarted(RUN, "a", at(0)))

    assert [type(event) for event in state.log] == [RunStarted, StepCompleted]


def test_an_event_of_a_step_that_the_run_has_not_is_ignored() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BEFORE)
    state.apply_event(StepCompleted(RUN, "forged", None, at(1)))

    assert set(state.steps) == {"a", "b"}
    assert state.log == EVENTS[:2]


def test_a_failed_run_cancels_what_is_open_and_knows_its_failed_step() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BEFORE)
    state.apply_event(StepFailed(RUN, "a", "no", at(1)))
    state.apply_event(RunFailed(RUN, "no", at(1)))

    assert state.steps["b"].status is StepStatus.CANCELLED
    assert state.failed_step is not None
    assert (state.failed_step.step_slug, state.failed_step.error_message) == ("a", "no")
    assert state.run.error_message == "no"


def test_the_version_counts_as_the_engine_does() -> None:
    state = RunState(ROW)
    versions = []
    for snapshot in (BEFORE, BETWEEN, AFTER):
        state.apply_snapshot(snapshot)
        versions.append(state.version)

    assert versions == [1, 3, 4]


def test_the_number_of_open_tasks_only_falls() -> None:
    state = RunState(ROW)
    of_nine = evolve(A_STARTED, initial_tasks=9, remaining_tasks=9)
    for remaining in (9, 4, 7):
        state.apply_snapshot(RunSnapshot(ROW, (evolve(of_nine, remaining_tasks=remaining), B_CREATED)))

    assert state.steps["a"].remaining_tasks == 4
    assert state.steps["a"].initial_tasks == 9


def test_a_run_that_was_over_when_it_was_started_again_has_nothing_to_tell_before_its_snapshot() -> None:
    state = RunState(AFTER.run)

    assert not state.is_over
    state.apply_snapshot(AFTER)
    assert state.is_over


def test_a_log_that_a_fork_cut_off_is_complete_after_the_next_snapshot() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BETWEEN)
    del state.log[2:]
    state.forget_unlogged()
    state.apply_snapshot(AFTER)

    assert state.log == EVENTS


def test_the_end_of_a_run_is_its_last_event() -> None:
    state = RunState(ROW)
    state.apply_snapshot(BEFORE)
    state.apply_event(RunCompleted(RUN, {}, at(3)))
    state.apply_event(EVENTS[2])

    assert isinstance(state.log[-1], RunCompleted)

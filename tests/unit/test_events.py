from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve

from pgflow.events import (
    Event,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
    from_notification,
    parse_time,
    replay,
)
from pgflow.models import RunRow, RunSnapshot, RunStatus, StepRow, StepStatus

RUN = UUID(int=1)
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def at(milliseconds: float) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def notification(event: str, **payload: Any) -> str:
    return json.dumps({"event": event, "payload": {"run_id": str(RUN), **payload}})


RUN_ROW = RunRow(RUN, "flow", RunStatus.STARTED, {"in": 1}, None, None, 1, at(0), None, None)


def step(slug: str, started: float | None = None, completed: float | None = None, **changes: Any) -> StepRow:
    status = StepStatus.COMPLETED if completed is not None else StepStatus.CREATED
    if started is not None and completed is None:
        status = StepStatus.STARTED
    row = StepRow(
        run_id=RUN,
        step_slug=slug,
        status=status,
        initial_tasks=1,
        remaining_tasks=None,
        remaining_deps=0,
        output=None if completed is None else slug,
        error_message=None,
        created_at=at(0),
        started_at=None if started is None else at(started),
        completed_at=None if completed is None else at(completed),
        failed_at=None,
    )
    return evolve(row, **changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            notification("run:started", flow_slug="flow", input=[], remaining_steps=2, started_at=START.isoformat()),
            RunStarted(RUN, "flow", [], 2, START),
        ),
        (
            notification("run:completed", output={"a": 0}, completed_at=START.isoformat()),
            RunCompleted(RUN, {"a": 0}, START),
        ),
        (notification("run:failed", error_message="no", failed_at=START.isoformat()), RunFailed(RUN, "no", START)),
        (notification("a-b:started", step_slug="a-b", started_at=START.isoformat()), StepStarted(RUN, "a-b", START)),
        (
            notification("a:completed", step_slug="a", output="123", completed_at=START.isoformat()),
            StepCompleted(RUN, "a", "123", START),
        ),
        (
            notification("a:failed", step_slug="a", error_message="no", failed_at=START.isoformat()),
            StepFailed(RUN, "a", "no", START),
        ),
    ],
)
def test_a_notification_becomes_its_event(text: str, expected: Event) -> None:
    assert from_notification(text) == expected


def test_a_truncated_notification_is_no_whole_event() -> None:
    text = json.dumps({**json.loads(notification("run:completed", completed_at=START.isoformat())), "truncated": True})

    assert from_notification(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        notification("run:completed", completed_at=START.isoformat()),
        notification("run:exploded", completed_at=START.isoformat()),
        notification("a:exploded", step_slug="a", completed_at=START.isoformat()),
        notification("a:started", step_slug="b", started_at=START.isoformat()),
        notification("a:started", step_slug="a", started_at="yesterday"),
        notification("a:started", step_slug="a", started_at=1),
    ],
)
def test_what_anybody_may_have_notified_is_no_event(text: str) -> None:
    assert from_notification(text) is None


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05.678901+00:00", "2026-01-02T04:04:05.678901+01:00", "2026-01-01T21:34:05.678901-05:30"]
)
def test_times_are_in_utc_whatever_the_session_s_zone(text: str) -> None:
    assert parse_time(text) == START
    assert parse_time(text).tzinfo is UTC


def test_a_time_without_microseconds_is_read() -> None:
    assert parse_time("2026-01-02T03:04:05+00:00") == datetime(2026, 1, 2, 4, 4, 5, tzinfo=timezone(timedelta(hours=1)))


def names(events: list[Event]) -> list[str]:
    return [
        f"{getattr(event, 'step_slug', 'run')}:{type(event).__name__.removeprefix('Run').removeprefix('Step')}"
        for event in events
    ]


def test_a_snapshot_is_replayed_in_causal_order() -> None:
    completed = evolve(RUN_ROW, status=RunStatus.COMPLETED, output={"z": 1}, completed_at=at(30))
    snapshot = RunSnapshot(completed, (step("a", 20, 30), step("z", 10, 20)))

    assert names(replay(snapshot)) == [
        "run:Started",
        "z:Started",
        "z:Completed",
        "a:Started",
        "a:Completed",
        "run:Completed",
    ]


def test_what_a_replay_tells_is_what_was_sent() -> None:
    snapshot = RunSnapshot(RUN_ROW, (step("a", 10, 20), step("b")))

    assert replay(snapshot) == [
        RunStarted(RUN, "flow", {"in": 1}, 2, at(0)),
        StepStarted(RUN, "a", at(10)),
        StepCompleted(RUN, "a", "a", at(20)),
    ]


def test_a_step_that_was_completed_the_moment_it_started_is_replayed_in_order() -> None:
    assert names(replay(RunSnapshot(RUN_ROW, (step("a", 10, 10),)))) == ["run:Started", "a:Started", "a:Completed"]


def test_a_clock_that_went_back_does_not_turn_a_step_around() -> None:
    assert names(replay(RunSnapshot(RUN_ROW, (step("a", 10, 5),)))) == ["run:Started", "a:Started", "a:Completed"]


def test_a_fanout_over_nothing_only_completes() -> None:
    empty = step("b", 20, 20, initial_tasks=0, output=[])

    assert names(replay(RunSnapshot(RUN_ROW, (step("a", 10, 20), empty)))) == [
        "run:Started",
        "a:Started",
        "a:Completed",
        "b:Completed",
    ]


def test_the_failing_step_comes_before_the_failed_run_and_cancelled_ones_have_no_end() -> None:
    failed = evolve(RUN_ROW, status=RunStatus.FAILED, error_message="no", failed_at=at(30))
    broken = step("b", 10, status=StepStatus.FAILED, error_message="no", failed_at=at(30))
    cancelled = step("a", 20, status=StepStatus.CANCELLED)

    assert names(replay(RunSnapshot(failed, (cancelled, broken, step("c"))))) == [
        "run:Started",
        "b:Started",
        "a:Started",
        "b:Failed",
        "run:Failed",
    ]


def test_a_step_that_was_only_created_is_no_event() -> None:
    assert names(replay(RunSnapshot(RUN_ROW, (step("a"),)))) == ["run:Started"]


@pytest.mark.parametrize(
    "payload",
    [
        "[" * 7900,
        '{"event": "a:started", "payload": {"run_id": "00000000-0000-7000-8000-000000000000", "step_slug": "a", '
        '"started_at": "0001-01-01T00:00:00+14:00"}}',
    ],
    ids=["nested beyond Python's limit", "a time before all times"],
)
def test_what_cannot_even_be_read_is_no_event(payload: str) -> None:
    assert from_notification(payload) is None

"""What happens to a run, as values: the events a caller receives, and the payloads they travel in.

An event comes from one of two places, and looks the same from both: from a notification of the database while a run is
watched (`from_notification`), or from a snapshot of the run's rows (`replay`). Times are aware and in UTC; inputs and
outputs are plain JSON unless whoever hands the event on has structured them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeAlias, TypedDict
from uuid import UUID

from attrs import frozen
from typing_extensions import TypeVar

from pgflow.models import Json, RunSnapshot, RunStatus, StepRow, StepStatus

__all__ = [
    "Event",
    "FlowRunEvent",
    "RunCompleted",
    "RunCompletedPayload",
    "RunFailed",
    "RunFailedPayload",
    "RunStarted",
    "RunStartedPayload",
    "StepCompleted",
    "StepCompletedPayload",
    "StepEvent",
    "StepFailed",
    "StepFailedPayload",
    "StepStarted",
    "StepStartedPayload",
    "from_notification",
    "parse_time",
    "replay",
]

Out = TypeVar("Out", default=Any)


@frozen
class RunStarted:
    """A run exists, and its root steps are on their way."""

    run_id: UUID
    flow_slug: str
    input: Any
    #: How many steps the run had to do when it started.
    remaining_steps: int
    started_at: datetime


@frozen
class RunCompleted(Generic[Out]):
    """Every step of a run has completed; nothing follows."""

    run_id: UUID
    #: ``{leaf step slug: its output}``
    output: Out
    completed_at: datetime


@frozen
class RunFailed:
    """A run has failed; nothing follows."""

    run_id: UUID
    error_message: str | None
    failed_at: datetime


@frozen
class StepStarted:
    """The tasks of a step are queued."""

    run_id: UUID
    step_slug: str
    started_at: datetime


@frozen
class StepCompleted(Generic[Out]):
    """Every task of a step has completed."""

    run_id: UUID
    step_slug: str
    #: The step's output; of a fan-out step the list of its tasks' outputs in the order of the items.
    output: Out
    completed_at: datetime


@frozen
class StepFailed:
    """A step has failed for good; an attempt that will be retried makes no event."""

    run_id: UUID
    step_slug: str
    error_message: str | None
    failed_at: datetime


FlowRunEvent: TypeAlias = RunStarted | RunCompleted | RunFailed
"""What happens to a run as a whole."""

StepEvent: TypeAlias = StepStarted | StepCompleted | StepFailed
"""What happens to one step of a run."""

Event: TypeAlias = FlowRunEvent | StepEvent
"""Everything that can happen to a run."""


class RunStartedPayload(TypedDict):
    """The payload of ``run:started``."""

    run_id: str
    flow_slug: str
    input: Json
    remaining_steps: int
    started_at: str


class RunCompletedPayload(TypedDict):
    """The payload of ``run:completed``."""

    run_id: str
    output: Json
    completed_at: str


class RunFailedPayload(TypedDict):
    """The payload of ``run:failed``."""

    run_id: str
    error_message: str
    failed_at: str


class StepStartedPayload(TypedDict):
    """The payload of ``<step>:started``."""

    run_id: str
    step_slug: str
    started_at: str


class StepCompletedPayload(TypedDict):
    """The payload of ``<step>:completed``."""

    run_id: str
    step_slug: str
    output: Json
    completed_at: str


class StepFailedPayload(TypedDict):
    """The payload of ``<step>:failed``."""

    run_id: str
    step_slug: str
    error_message: str
    failed_at: str


def parse_time(text: str) -> datetime:
    """Return a timestamp, as PostgreSQL writes it into JSON, as an aware datetime in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def from_notification(text: str) -> Event | None:
    """Return the event of a notification, or None where it does not hold the whole of one.

    The engine leaves out what does not fit into a notification and marks it as truncated, and anybody may notify on
    any channel: in both cases the tables know, and the caller looks there.
    """
    try:
        message = json.loads(text)
        if message.get("truncated"):
            return None
        return _event(message["event"], message["payload"])
    except Exception:  # whatever somebody has sent, it must not end the thread that listens
        return None


def _event(name: str, payload: Mapping[str, Any]) -> Event:
    subject, _, suffix = name.rpartition(":")
    run_id = UUID(payload["run_id"])
    if subject != "run" and payload["step_slug"] != subject:
        raise ValueError(name)
    match subject, suffix:
        case "run", "started":
            started_at = parse_time(payload["started_at"])
            return RunStarted(
                run_id, payload["flow_slug"], payload["input"], payload["remaining_steps"], started_at=started_at
            )
        case "run", "completed":
            return RunCompleted(run_id, payload["output"], parse_time(payload["completed_at"]))
        case "run", "failed":
            return RunFailed(run_id, payload["error_message"], parse_time(payload["failed_at"]))
        case slug, "started":
            return StepStarted(run_id, slug, parse_time(payload["started_at"]))
        case slug, "completed":
            return StepCompleted(run_id, slug, payload["output"], parse_time(payload["completed_at"]))
        case slug, "failed":
            return StepFailed(run_id, slug, payload["error_message"], parse_time(payload["failed_at"]))
    raise ValueError(name)


def replay(snapshot: RunSnapshot) -> list[Event]:
    """Return the events that have led to a snapshot, in causal order.

    A step that was cancelled has only its start to tell of, and a fan-out over nothing only its completion, as when
    they are sent live.
    """
    run = snapshot.run
    events: list[Event] = [RunStarted(run.run_id, run.flow_slug, run.input, len(snapshot.steps), run.started_at)]
    moments = [moment for step in snapshot.steps for moment in _moments(step)]
    events += [event for _, _, event in sorted(moments, key=lambda moment: moment[:2])]
    if run.status is RunStatus.COMPLETED and run.completed_at is not None:
        events.append(RunCompleted(run.run_id, run.output, run.completed_at))
    if run.status is RunStatus.FAILED and run.failed_at is not None:
        events.append(RunFailed(run.run_id, run.error_message, run.failed_at))
    return events


# At the same moment a completion comes before the start that it allowed, and after its own step's start.
_COMPLETION, _START, _OWN_END = range(3)


def _moments(step: StepRow) -> list[tuple[datetime, int, StepEvent]]:
    moments: list[tuple[datetime, int, StepEvent]] = []
    began = step.started_at if step.initial_tasks != 0 else None
    if began is not None:
        moments.append((began, _START, StepStarted(step.run_id, step.step_slug, began)))
    if step.status is StepStatus.COMPLETED and step.completed_at is not None:
        rank = _OWN_END if began is not None and step.completed_at <= began else _COMPLETION
        ended = max(began or step.completed_at, step.completed_at)
        moments.append((ended, rank, StepCompleted(step.run_id, step.step_slug, step.output, step.completed_at)))
    if step.status is StepStatus.FAILED and step.failed_at is not None:
        ended = max(began or step.failed_at, step.failed_at)
        moments.append((ended, _OWN_END, StepFailed(step.run_id, step.step_slug, step.error_message, step.failed_at)))
    return moments

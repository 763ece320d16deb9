"""What the page of a run shows: its steps in their order, and of their tasks those that somebody may ask about.

A run may have outputs of many megabytes and steps of many thousand tasks. The database hands out beginnings, and a few
tasks of each step: those that failed or run first.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import frozen
from django.db.models import Case, F, TextField, Value, When, Window
from django.db.models.functions import Cast, Left, RowNumber
from django.utils import timezone

from pgflow.contrib.django.models import DefinedStep, StepState, StepTask
from pgflow.graph.wording import spoken

__all__ = ["StepView", "TaskView", "beginning_of", "duration", "shortened", "steps_of"]

_LONGEST_VALUE = 2_000
_MOST_TASKS = 20


@frozen
class TaskView:
    """A task with its last attempt."""

    task_index: int
    status: str
    attempts_count: int
    started_at: datetime | None
    took: str
    error: str | None
    traceback: str | None
    worker: UUID | None


@frozen
class StepView:
    """A step with some of its tasks."""

    slug: str
    is_fanout: bool
    status: str
    #: How many tasks it has, and how many of them have completed; None until that is known.
    tasks_count: int | None
    completed_count: int | None
    started_at: datetime | None
    took: str
    error: str | None
    output: str | None
    tasks: list[TaskView]

    @property
    def worst(self) -> TaskView | None:
        """The task that failed it, if one did."""
        return next((task for task in self.tasks if task.status == "failed"), None)


def beginning_of(column: str) -> Left:
    """As much of a column as is shown, and a character more where there is more."""
    return Left(Cast(column, TextField()), _LONGEST_VALUE + 1)


def shortened(beginning: str | None) -> str | None:
    """A value by its beginning, with a mark where it goes on."""
    if beginning is None or len(beginning) <= _LONGEST_VALUE:
        return beginning
    return beginning[:_LONGEST_VALUE] + " …"


def duration(began: datetime | None, ended: datetime | None) -> str:
    """The time from one to the other, or until now; empty for what has not begun."""
    if began is None:
        return ""
    return spoken(((ended or timezone.now()) - began).total_seconds())


def steps_of(run_id: UUID, flow_slug: str) -> list[StepView]:
    """The steps of a run, in the order of its flow."""
    defined = {
        slug: (index, kind == "fanout")
        for slug, index, kind in DefinedStep.objects.filter(flow_slug=flow_slug).values_list(
            "step_slug", "step_index", "step_type"
        )
    }
    tasks = _tasks_of(run_id)
    states = StepState.objects.filter(run_id=run_id).values(
        "step_slug",
        "status",
        "initial_tasks",
        "remaining_tasks",
        "started_at",
        "completed_at",
        "failed_at",
        error=beginning_of("error_message"),
        value=beginning_of("output"),
    )
    ordered = sorted(states, key=lambda state: defined.get(state["step_slug"], (len(defined), False)))
    return [
        _step(state, defined.get(state["step_slug"], (0, False))[1], tasks[state["step_slug"]]) for state in ordered
    ]


def _step(state: dict[str, Any], is_fanout: bool, tasks: list[TaskView]) -> StepView:
    initial, remaining = state["initial_tasks"], state["remaining_tasks"]
    return StepView(
        slug=state["step_slug"],
        is_fanout=is_fanout,
        status=state["status"],
        tasks_count=initial,
        completed_count=None if initial is None or remaining is None else initial - remaining,
        started_at=state["started_at"],
        took=_took(state),
        error=shortened(state["error"]),
        output=shortened(state["value"]),
        tasks=tasks,
    )


def _tasks_of(run_id: UUID) -> dict[str, list[TaskView]]:
    urgency = Case(
        When(status="failed", then=Value(0)),
        When(status="started", then=Value(1)),
        When(error_message__isnull=False, then=Value(2)),
        default=Value(3),
    )
    rows = (
        StepTask.objects.filter(run_id=run_id)
        .annotate(
            urgency=urgency,
            place=Window(RowNumber(), partition_by=[F("step_slug")], order_by=[F("urgency"), F("task_index")]),
            error=beginning_of("error_message"),
            trace=beginning_of("traceback"),
        )
        .filter(place__lte=_MOST_TASKS)
        .order_by("step_slug", "place")
        .values(
            "step_slug",
            "task_index",
            "status",
            "attempts_count",
            "started_at",
            "completed_at",
            "failed_at",
            "last_worker_id",
            "error",
            "trace",
        )
    )
    found: defaultdict[str, list[TaskView]] = defaultdict(list)
    for row in rows:
        found[row["step_slug"]].append(
            TaskView(
                task_index=row["task_index"],
                status=row["status"],
                attempts_count=row["attempts_count"],
                started_at=row["started_at"],
                took=_took(row),
                error=shortened(row["error"]),
                traceback=shortened(row["trace"]),
                worker=row["last_worker_id"],
            )
        )
    return found


def _took(row: dict[str, Any]) -> str:
    ended = row["completed_at"] or row["failed_at"]
    # What was cancelled has no end of its own.
    return duration(row["started_at"], ended) if ended or row["status"] == "started" else ""

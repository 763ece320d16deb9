"""Rows that cross the boundary between the engine and Python: frozen, documented, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from attrs import frozen

__all__ = [
    "Completion",
    "Failure",
    "Json",
    "Release",
    "Report",
    "RunRow",
    "RunSnapshot",
    "RunStatus",
    "StepRow",
    "StepStatus",
    "TaskKey",
    "TaskRecord",
]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""What jsonb can hold."""


class RunStatus(StrEnum):
    """The states of a run; the last two are final."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether a run in this state never changes again."""
        return self is not RunStatus.STARTED


class StepStatus(StrEnum):
    """The states of a step within a run; the last three are final."""

    CREATED = "created"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a step in this state never changes again."""
        return self not in (StepStatus.CREATED, StepStatus.STARTED)


@frozen
class RunRow:
    """One row of ``pgflow.runs``."""

    run_id: UUID
    flow_slug: str
    status: RunStatus
    #: The run's input as plain JSON.
    input: Json
    #: ``{leaf step slug: its output}`` once completed, else None.
    output: Json
    error_message: str | None
    remaining_steps: int
    started_at: datetime
    completed_at: datetime | None
    failed_at: datetime | None


@frozen
class StepRow:
    """One row of ``pgflow.step_states``."""

    run_id: UUID
    step_slug: str
    status: StepStatus
    #: How many tasks the step has; None until that is known.
    initial_tasks: int | None
    #: How many of them are open; None until the step starts.
    remaining_tasks: int | None
    remaining_deps: int
    output: Json
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    failed_at: datetime | None


@frozen
class RunSnapshot:
    """A run and its steps, ordered by slug, as one statement saw them."""

    run: RunRow
    steps: tuple[StepRow, ...]


@frozen
class TaskKey:
    """One attempt at one task: the task's primary key and the token that fences it."""

    run_id: UUID
    step_slug: str
    task_index: int
    #: The message's read count when the attempt started; a report with an older one changes nothing.
    token: int


@frozen
class TaskRecord:
    """A claimed task, ready to run: one ``pgflow.step_task_record``."""

    flow_slug: str
    run_id: UUID
    step_slug: str
    #: ``{"run": …, "deps": {…}}`` for a single step, ``{"item": …}`` for a task of a fan-out.
    input: Mapping[str, Json]
    msg_id: int
    task_index: int
    token: int
    #: 1 for the first attempt.
    attempts_count: int
    #: Why Python cannot read the input, which is empty then; None where it can.
    unreadable: str | None = None

    @property
    def key(self) -> TaskKey:
        """What a report about this attempt names."""
        return TaskKey(self.run_id, self.step_slug, self.task_index, self.token)


@frozen
class Completion:
    """A handler's result on its way to the engine."""

    key: TaskKey
    output: Json


@frozen
class Failure:
    """A failed attempt on its way to the engine."""

    key: TaskKey
    error_message: str
    #: No further attempt, whatever is left of ``max_attempts``.
    permanent: bool = False
    #: Seconds before the next attempt; None leaves it to the step's backoff.
    retry_delay: float | None = None
    #: For the task row; the engine cuts it.
    traceback: str | None = None


@frozen
class Release:
    """An attempt that is handed back on its way to the engine: it does not count, and the task is due at once."""

    key: TaskKey


Report: TypeAlias = "Completion | Failure | Release"
"""How an attempt ended."""

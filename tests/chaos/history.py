"""What happened: as the database has recorded it, as the workers noted it, and what was done to them.

Every time is of the one clock of the one machine that all of this runs on, in seconds since the epoch.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from attrs import define, field, frozen

GAVE_UP = "gave up after"
"""How the engine's own verdict begins on a task whose last attempt was lost."""


class Task(NamedTuple):
    """Which task."""

    run_id: UUID
    step_slug: str
    task_index: int


class Attempt(NamedTuple):
    """Which attempt at it, by the token that fences it."""

    task: Task
    token: int


@frozen
class RunRow:
    """A run as the table has it in the end."""

    run_id: UUID
    flow_slug: str
    input: Any
    status: str
    output: Any = None
    error_message: str | None = None


@frozen
class StepRow:
    """A step as the table has it in the end."""

    status: str
    initial_tasks: int | None = None
    output: Any = None
    error_message: str | None = None


@frozen
class TaskRow:
    """A task as the table has it in the end."""

    status: str
    token: int
    attempts_count: int


@frozen
class Change:
    """One transition of a run or a step; ``before`` is None where the row was made."""

    before: str | None
    after: str


@frozen
class TaskChange:
    """One transition of a task, with what the row said after it."""

    task: Task
    before: str | None
    after: str
    token: int
    attempts_count: int
    #: Who claimed it last.
    worker: UUID | None
    #: When its transaction began, and when the row was written.
    began: float
    at: float
    error_message: str | None = None

    @property
    def starts(self) -> bool:
        """Whether an attempt begins with it."""
        return self.after == "started"

    @property
    def follows_a_lost_lease(self) -> bool:
        """Whether the engine took the task from whoever held it."""
        gave_up = self.after == "failed" and (self.error_message or "").startswith(GAVE_UP)
        return self.before == "started" and (self.starts or gave_up)


@frozen
class Event:
    """An event as the engine sent it."""

    name: str
    payload: Mapping[str, Any]


@frozen
class Call:
    """One call of the engine by a worker, as the worker noted it before and after."""

    worker: UUID
    #: ``claim``, ``complete``, ``fail``, ``release``, ``extend`` or ``heartbeat``.
    kind: str
    attempts: tuple[Attempt, ...]
    began: float
    #: None where the worker did not live to note it.
    ended: float | None
    #: Those that the engine said it had ignored, or that are lost.
    ignored: frozenset[Attempt] = frozenset()
    #: Whether it ended with an answer and not with an error.
    answered: bool = True

    @property
    def accepted(self) -> tuple[Attempt, ...]:
        """Those that the worker was told have been taken."""
        if self.ended is None or not self.answered:
            return ()
        return tuple(each for each in self.attempts if each not in self.ignored)


@frozen
class Stall:
    """A time for which a worker's process did not get to run although it wanted to."""

    worker: UUID
    began: float
    ended: float


@frozen
class Mishap:
    """Something that was done to workers, to all of them where ``workers`` is None."""

    kind: str
    workers: frozenset[UUID] | None
    began: float
    ended: float = math.inf

    def befell(self, worker: UUID | None, since: float, until: float) -> bool:
        """Whether it was going on for a worker at any moment between two."""
        hit = self.workers is None or worker in self.workers
        return hit and self.began <= until and self.ended >= since


@define
class History:
    """Everything that a verdict is made of."""

    lease: float
    runs: Sequence[RunRow] = ()
    steps: Mapping[tuple[UUID, str], StepRow] = field(factory=dict)
    tasks: Mapping[Task, TaskRow] = field(factory=dict)
    #: Per flow: which step needs which.
    deps: Mapping[str, Sequence[tuple[str, str]]] = field(factory=dict)
    #: Seconds that an attempt may take, by flow and step.
    timeouts: Mapping[tuple[str, str], int] = field(factory=dict)
    run_changes: Mapping[UUID, Sequence[Change]] = field(factory=dict)
    step_changes: Mapping[tuple[UUID, str], Sequence[Change]] = field(factory=dict)
    task_changes: Mapping[Task, Sequence[TaskChange]] = field(factory=dict)
    events: Mapping[UUID, Sequence[Event]] = field(factory=dict)
    #: The idempotency keys of tasks whose handlers wrote a row in the transaction of their completion.
    effects: Sequence[str] = ()
    #: Messages that are left, in queues and archives by the name of the table.
    messages: Mapping[str, int] = field(factory=dict)
    #: What check_invariants() says.
    invariants: Sequence[str] = ()
    calls: Sequence[Call] = ()
    stalls: Sequence[Stall] = ()
    mishaps: Sequence[Mishap] = ()

    @cached_property
    def flow_of(self) -> dict[UUID, str]:
        """The flow of each run."""
        return {run.run_id: run.flow_slug for run in self.runs}

    @cached_property
    def calls_about(self) -> Mapping[Attempt, list[Call]]:
        """The calls that name an attempt, in their order."""
        found: dict[Attempt, list[Call]] = defaultdict(list)
        for call in sorted(self.calls, key=lambda each: each.began):
            for attempt in call.attempts:
                found[attempt].append(call)
        return found

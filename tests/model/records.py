"""What the specification remembers: runs, their steps, the steps' tasks, and the message of each open task.

Nothing here is counted: how much remains is asked of the rows themselves.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from attrs import define, field, frozen

from tests.model.definitions import StepDefinition

Json: TypeAlias = Any
RunStatus: TypeAlias = Literal["started", "completed", "failed"]
StepStatus: TypeAlias = Literal["created", "started", "completed", "failed", "cancelled"]
TaskStatus: TypeAlias = Literal["queued", "started", "completed", "failed", "cancelled"]


@frozen
class Absent:
    """The value of a column that has none; JSON null is a value."""


ABSENT: Final = Absent()


@frozen
class Span:
    """A moment that lies between two, in seconds since 1970: nobody knows better when a function read the clock."""

    earliest: float
    latest: float

    def after(self, seconds: float, jitter: float = 0.0) -> Span:
        """The moment so many seconds later, or up to that share of them later still."""
        return Span(self.earliest + seconds, self.latest + seconds * (1 + jitter))

    def __contains__(self, moment: float) -> bool:
        return self.earliest <= moment <= self.latest


def first_of(one: Span, other: Span) -> Span:
    return Span(min(one.earliest, other.earliest), min(one.latest, other.latest))


def last_of(one: Span, other: Span) -> Span:
    return Span(max(one.earliest, other.earliest), max(one.latest, other.latest))


@define(eq=False)
class Message:
    """A task's message in its flow's queue, visible from a moment on: until then somebody's lease, or a delay."""

    visible_at: Span
    read_count: int = 0


@define(eq=False)
class Task:
    """One call of a handler; it has a message as long as it is open."""

    step: Step
    index: int
    input: Json
    message: Message | None
    status: TaskStatus = "queued"
    token: int = 0
    attempts: int = 0
    output: Json = ABSENT
    error: str | None = None
    worker: UUID | None = None
    started_at: Span = Span(0, 0)

    @property
    def is_open(self) -> bool:
        return self.status in ("queued", "started")


@define(eq=False)
class Step:
    """A step of a run; of its definition, the shape is what counts: options are the flow's at the moment."""

    run: Run
    definition: StepDefinition
    status: StepStatus = "created"
    tasks: list[Task] = field(factory=list)
    output: Json = ABSENT
    error: str | None = None

    @property
    def slug(self) -> str:
        return self.definition.slug

    @property
    def deps(self) -> list[Step]:
        return [self.run.steps[slug] for slug in self.definition.deps]

    @property
    def dependents(self) -> list[Step]:
        return [step for step in self.run.steps.values() if self.slug in step.definition.deps]

    @property
    def feeds_fanout(self) -> bool:
        return any(step.definition.is_fanout for step in self.dependents)

    @property
    def is_ready(self) -> bool:
        return self.status == "created" and self.remaining_deps == 0

    @property
    def remaining_deps(self) -> int:
        return sum(dep.status != "completed" for dep in self.deps)

    @property
    def has_tasks(self) -> bool:
        """Whether its tasks, though there may be none of them, have been made."""
        return bool(self.tasks) or self.status == "completed"

    @property
    def initial_tasks(self) -> int | None:
        """How many tasks the step has or, if that is known beforehand, will have."""
        if self.definition.is_fanout:
            return len(self.tasks) if self.has_tasks else None
        return 1

    @property
    def remaining_tasks(self) -> int | None:
        return sum(task.status != "completed" for task in self.tasks) if self.has_tasks else None


@define(eq=False)
class Run:
    """A run of the steps that its flow had when it started."""

    run_id: UUID
    flow_slug: str
    input: Json
    key: str | None
    watched: bool
    status: RunStatus = "started"
    steps: dict[str, Step] = field(factory=dict)
    output: Json = ABSENT
    error: str | None = None

    @property
    def remaining_steps(self) -> int:
        return sum(step.status != "completed" for step in self.steps.values())

    @property
    def tasks(self) -> list[Task]:
        return [task for step in self.steps.values() for task in step.tasks]

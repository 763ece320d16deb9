"""What is drawn: the steps of a flow or of a run, and what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from pgflow.graph.wording import counted, spoken
from pgflow.models import StepStatus

__all__ = ["FlowGraph", "GraphStep", "Shape"]


class Shape(Protocol):
    """A step as its flow defines it."""

    @property
    def slug(self) -> str:
        """Its name."""

    @property
    def deps(self) -> Sequence[str]:
        """The slugs of the steps that it depends on."""

    @property
    def is_fanout(self) -> bool:
        """Whether it has a task for each element of its dependency's output."""


@frozen
class GraphStep:
    """A step; all but the first three is known of a run only."""

    slug: str
    deps: tuple[str, ...]
    is_fanout: bool
    status: StepStatus | None = None
    #: How many tasks it has; None until that is known.
    tasks: int | None = None
    #: How many of them are finished; None until it starts.
    done: int | None = None
    #: How many attempts have failed or were lost.
    retries: int = 0
    #: How long it has taken so far, or took; None until it starts.
    seconds: float | None = None

    @property
    def note(self) -> str:
        """How far it has come, in a few words; empty for a step that is only defined."""
        if self.status is None or self.status is StepStatus.CREATED:
            return ""
        if self.status is StepStatus.CANCELLED and self.seconds is None:
            return "cancelled"
        words = []
        if self.is_fanout and self.tasks is not None:
            words.append(f"{self.done or 0} of {counted(self.tasks, 'task')}")
        if self.retries:
            words.append(counted(self.retries, "failed attempt"))
        if self.seconds is not None:
            words.append(spoken(self.seconds))
        return ", ".join(words)


@frozen
class FlowGraph:
    """The steps of a flow, each after those that it depends on."""

    flow_slug: str
    steps: tuple[GraphStep, ...]

    @classmethod
    def of_shapes(cls, flow_slug: str, shapes: Sequence[Shape]) -> FlowGraph:
        """Return the graph of a flow that is only defined."""
        steps = tuple(GraphStep(shape.slug, tuple(shape.deps), shape.is_fanout) for shape in shapes)
        return cls(flow_slug, steps)

    @property
    def is_run(self) -> bool:
        """Whether its steps have states."""
        return any(step.status is not None for step in self.steps)

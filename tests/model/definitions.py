"""What a flow is, as the specification sees it: steps in order, their dependencies and options."""

from __future__ import annotations

from typing import TypeAlias

from attrs import evolve, frozen

Shape: TypeAlias = tuple[bool, frozenset[str]]


@frozen
class StepDefinition:
    """A step; options that are None are the flow's."""

    slug: str
    deps: tuple[str, ...] = ()
    is_fanout: bool = False
    max_attempts: int | None = None
    base_delay: int | None = None
    timeout: int | None = None
    start_delay: int | None = None

    @property
    def shape(self) -> Shape:
        """What may never change once the step exists: its type and its dependencies."""
        return self.is_fanout, frozenset(self.deps)


@frozen
class FlowDefinition:
    """A flow; each step comes after its dependencies."""

    slug: str
    steps: tuple[StepDefinition, ...] = ()
    max_attempts: int = 3
    base_delay: int = 1
    timeout: int = 300

    @property
    def shape(self) -> dict[str, Shape]:
        return {step.slug: step.shape for step in self.steps}

    def step(self, slug: str) -> StepDefinition:
        return next(step for step in self.steps if step.slug == slug)

    def with_step(self, step: StepDefinition) -> FlowDefinition:
        """The flow with one more step at its end."""
        return evolve(self, steps=(*self.steps, step))

    def max_attempts_of(self, slug: str) -> int:
        own = self.step(slug).max_attempts
        return self.max_attempts if own is None else own

    def base_delay_of(self, slug: str) -> int:
        own = self.step(slug).base_delay
        return self.base_delay if own is None else own

    def timeout_of(self, slug: str) -> int:
        own = self.step(slug).timeout
        return self.timeout if own is None else own

    def start_delay_of(self, slug: str) -> int:
        return self.step(slug).start_delay or 0

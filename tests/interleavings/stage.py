"""What a scenario sets up, and what the operations on it are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from attrs import define, field
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine, Step, Steps, Task, single

#: What a task is claimed for, in seconds; and what a lease is extended to. No test takes as long.
LEASE = 600.0
EXTENDED_LEASE = 3 * LEASE

WORKER = UUID(int=1)
"""A worker that is at work."""

LATE_WORKER = UUID(int=2)
"""A worker that has not been heard of for longer than workers are remembered."""


@define
class Stage:
    """The runs of one case by their inputs, and the tasks that somebody holds by their names."""

    steps: Steps
    runs: dict[str, UUID] = field(factory=dict)
    tasks: dict[str, Task] = field(factory=dict)
    messages: list[int] = field(factory=list)

    @property
    def run(self) -> UUID:
        """The first run, which most operations are about."""
        return self.runs["first"]

    def start(self, engine: Engine, input: str = "first", **options: Any) -> None:
        """Start a run, which is called by its input."""
        self.runs[input] = engine.start(input, **options)

    def hold(self, tasks: list[Task]) -> None:
        """Keep claimed tasks for the operations: ``a``, or ``b[0]`` for a task of a fan-out, or ``second a``."""
        names = {run_id: name for name, run_id in self.runs.items()}
        for task in tasks:
            step = self.steps[task.step_slug]
            name = task.step_slug
            if isinstance(step, Step) and step.step_type == "fanout":
                name = f"{name}[{task.task_index}]"
            if names[task.run_id] != "first":
                name = f"{names[task.run_id]} {name}"
            self.tasks[name] = task

    def definition(self, **options: Any) -> Jsonb:
        """The flow as ``ensure_flow`` takes it."""
        return Jsonb(
            {
                "flow_slug": "flow",
                "max_attempts": 3,
                "base_delay": 0,
                "timeout": 36000,
                **options,
                "steps": [_definition(slug, step) for slug, step in self.steps.items()],
            }
        )


def _definition(slug: str, step: Any) -> Mapping[str, Any]:
    step = step if isinstance(step, Step) else single(*step)
    return {"step_slug": slug, "step_type": step.step_type, "deps": step.deps}

"""Values on their way between a caller and JSON: structured where the annotations are known, else as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from pgflow.dsl import CompiledFlow, Flow, to_json
from pgflow.events import Event, RunCompleted, RunStarted, StepCompleted
from pgflow.models import Json

__all__ = ["Values"]


@frozen
class Values:
    """What is known of the types of a run's values: those of its flow, or nothing."""

    flow: Flow[Any] | None

    @property
    def _compiled(self) -> CompiledFlow | None:
        return None if self.flow is None else self.flow.compiled()

    def dump_input(self, value: object) -> Json:
        """Return a run's input as JSON; `NotJsonError` if it does not fit."""
        return to_json(value) if self._compiled is None else self._compiled.dump_input(value)

    def load_input(self, value: Json) -> Any:
        """Return a run's input."""
        return value if self._compiled is None else self._compiled.load_input(value)

    def load_run_output(self, output: Any) -> dict[str, Any]:
        """Return a run's output, ``{leaf slug: its output}``."""
        return dict(output) if self._compiled is None else self._compiled.load_run_output(output)

    def step_loader(self, slug: str) -> Callable[[Json], Any]:
        """Return what structures the output of a step."""
        step = None if self._compiled is None else self._compiled.steps.get(slug)
        return _as_it_is if step is None else step.load_step_output

    def load_event(self, event: Event) -> Event:
        """Return an event with its values structured."""
        match event:
            case _ if self.flow is None:
                return event
            case RunStarted():
                return evolve(event, input=self.load_input(event.input))
            case RunCompleted():
                return evolve(event, output=self.load_run_output(event.output))
            case StepCompleted():
                return evolve(event, output=self.step_loader(event.step_slug)(event.output))
        return event


def _as_it_is(value: Json) -> Json:
    return value

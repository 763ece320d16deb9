"""One step of a run, as whoever waits for it sees it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from pgflow.errors import RunFailedError
from pgflow.events import Event, StepEvent
from pgflow.models import Json, StepRow, StepStatus

if TYPE_CHECKING:
    from pgflow.client.run import FlowRun

__all__ = ["FlowStep"]

R = TypeVar("R")
E = TypeVar("E")


class FlowStep(Generic[R]):
    """A step of a `FlowRun`, which makes it: `FlowRun.step` and `FlowRun.steps`.

    What it says of itself is what is known; waiting, `FlowRun.refresh` and the events of the run bring that up to date.
    """

    def __init__(self, run: FlowRun, slug: str, load: Callable[[Json], R]) -> None:
        self._run = run
        self._load = load
        #: The step's slug.
        self.slug = slug

    def __repr__(self) -> str:
        return f"<FlowStep {self.slug!r} of run {self._run.run_id}: {self.status}>"

    @property
    def _row(self) -> StepRow:
        return self._run._step_row(self.slug)

    @property
    def run(self) -> FlowRun:
        """The run that it is a step of."""
        return self._run

    @property
    def status(self) -> StepStatus:
        """How far it has come."""
        return self._row.status

    @property
    def output(self) -> R | None:
        """What it has produced, structured where its annotation is known; None until it has completed."""
        row = self._row
        return self._load(row.output) if row.status is StepStatus.COMPLETED else None

    @property
    def error_message(self) -> str | None:
        """Why it has failed, None if it has not."""
        return self._row.error_message

    @property
    def initial_tasks(self) -> int | None:
        """How many tasks it has; None until that is known."""
        return self._row.initial_tasks

    @property
    def remaining_tasks(self) -> int | None:
        """How many of them were open when the run was last read from the tables; None until it has started."""
        return self._row.remaining_tasks

    @property
    def created_at(self) -> datetime:
        """When its run was started."""
        return self._row.created_at

    @property
    def started_at(self) -> datetime | None:
        """When its tasks were queued."""
        return self._row.started_at

    @property
    def completed_at(self) -> datetime | None:
        """When its last task completed."""
        return self._row.completed_at

    @property
    def failed_at(self) -> datetime | None:
        """When it failed for good."""
        return self._row.failed_at

    def wait(self, timeout: float | None = None) -> FlowStep[R]:
        """Block until it has ended in whatever way, and return it; never raises for a failure.

        :raises WaitTimeoutError: after ``timeout`` seconds; None waits for ever.
        """
        self._run._wait(lambda: self._has_ended, f"the end of step {self.slug!r} of {self._run._name}", timeout)
        return self

    def result(self, timeout: float | None = None) -> R:
        """Block until it has completed and return its output, structured where its annotation is known.

        :raises RunFailedError: it or another step has failed the run before it completed.
        :raises WaitTimeoutError: after ``timeout`` seconds; None waits for ever.
        """
        self.wait(timeout)
        row = self._row
        if row.status is not StepStatus.COMPLETED:
            if self._run.status.is_terminal:
                raise self._run._failure()
            raise RunFailedError(self._run, self.slug, row.error_message)
        return self._load(row.output)

    @property
    def _has_ended(self) -> bool:
        return self._run._is_over or self._row.status.is_terminal

    @overload
    def on(self, event_type: type[E], receiver: Callable[[E], object]) -> Callable[[], None]: ...
    @overload
    def on(self, event_type: type[E]) -> Callable[[Callable[[E], object]], Callable[[E], object]]: ...
    @overload
    def on(self, event_type: UnionType, receiver: Callable[[Any], object]) -> Callable[[], None]: ...
    @overload
    def on(self, event_type: UnionType) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]: ...
    def on(self, event_type: Any, receiver: Any = None) -> Any:
        """`FlowRun.on` for the events of this step alone."""
        return self._run._on(event_type, receiver, self._is_mine)

    def _is_mine(self, event: Event) -> bool:
        return isinstance(event, StepEvent) and event.step_slug == self.slug

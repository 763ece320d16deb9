"""What is known of a run, put together from snapshots and events in whatever order they come.

States only move forward: an older snapshot changes nothing that a newer event has said, and an event that a snapshot
has shown already is no news. Whatever moves a state is entered in the log once, in causal order; that is what waiting
callers and receivers are told from.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from attrs import define, evolve, field

from pgflow.events import (
    Event,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepCompleted,
    StepEvent,
    StepFailed,
    StepStarted,
    replay,
)
from pgflow.models import RunRow, RunSnapshot, RunStatus, StepRow, StepStatus

__all__ = ["RunState"]


@define(eq=False)
class RunState:
    """One run as far as it is known. Its lock is its owner's; single attributes may be read without."""

    run: RunRow
    steps: Mapping[str, StepRow] = field(factory=dict, init=False)
    #: Every event so far, each once.
    log: list[Event] = field(factory=list, init=False)
    _told: set[str] = field(factory=set, init=False)

    @property
    def run_id(self) -> UUID:
        """Which run this is."""
        return self.run.run_id

    @property
    def is_over(self) -> bool:
        """Whether the run has ended and everything that led to it is known."""
        return bool(self.log) and isinstance(self.log[-1], RunCompleted | RunFailed)

    @property
    def version(self) -> int:
        """How many steps have left ``created``, plus how many have ended."""
        return sum(_rank(step.status) for step in self.steps.values())

    @property
    def failed_step(self) -> StepRow | None:
        """The step that failed the run, if one did."""
        failed = [step for step in self.steps.values() if step.status is StepStatus.FAILED and step.failed_at]
        return min(failed, key=lambda step: step.failed_at or step.created_at, default=None)

    def apply_snapshot(self, snapshot: RunSnapshot) -> None:
        """Take over what a snapshot knows better."""
        if self.is_over:
            return
        for event in replay(snapshot):
            self._enter(event)
        self.steps = {step.step_slug: _later_step(self.steps.get(step.step_slug), step) for step in snapshot.steps}
        self.run = _later_run(self.run, snapshot.run)

    def apply_event(self, event: Event) -> None:
        """Take over what has happened, unless it is known already or of a step that the run has not."""
        is_strange = isinstance(event, StepStarted | StepCompleted | StepFailed) and event.step_slug not in self.steps
        if self.is_over or is_strange or not self._enter(event):
            return
        match event:
            case RunCompleted():
                self.run = evolve(
                    self.run,
                    status=RunStatus.COMPLETED,
                    output=event.output,
                    remaining_steps=0,
                    completed_at=event.completed_at,
                )
            case RunFailed():
                self.run = evolve(
                    self.run, status=RunStatus.FAILED, error_message=event.error_message, failed_at=event.failed_at
                )
                # The engine cancels what is still open with the run, and sends no event of it.
                self.steps = {slug: _cancelled(step) for slug, step in self.steps.items()}
            case StepStarted() | StepCompleted() | StepFailed():
                self.steps = {**self.steps, event.step_slug: _moved(self.steps[event.step_slug], event)}
                if isinstance(event, StepCompleted):
                    self.run = evolve(self.run, remaining_steps=self.run.remaining_steps - 1)

    def forget_unlogged(self) -> None:
        """Repair what a fork may have cut in two: the log is what counts, and the next snapshot brings the rest."""
        self._told = {_key(event) for event in self.log}

    def _enter(self, event: Event) -> bool:
        key = _key(event)
        # A start that comes after the end is old.
        if key in self._told or (isinstance(event, StepStarted) and f"{event.step_slug}:ended" in self._told):
            return False
        self._told.add(key)
        self.log.append(event)
        return True


def _key(event: Event) -> str:
    match event:
        case RunStarted():
            return "run:started"
        case RunCompleted() | RunFailed():
            return "run:ended"
        case StepStarted():
            return f"{event.step_slug}:started"
        case StepCompleted() | StepFailed():
            return f"{event.step_slug}:ended"


def _rank(status: StepStatus) -> int:
    return (status is not StepStatus.CREATED) + status.is_terminal


def _later_step(known: StepRow | None, other: StepRow) -> StepRow:
    if known is None or _rank(other.status) > _rank(known.status):
        return other
    if _rank(other.status) < _rank(known.status) or known.status.is_terminal:
        return known
    # Tasks only become fewer, and their number is known from the start or never forgotten.
    counts = [step.remaining_tasks for step in (known, other) if step.remaining_tasks is not None]
    return evolve(
        other,
        initial_tasks=known.initial_tasks if other.initial_tasks is None else other.initial_tasks,
        remaining_tasks=min(counts, default=None),
        remaining_deps=min(known.remaining_deps, other.remaining_deps),
    )


def _later_run(known: RunRow, other: RunRow) -> RunRow:
    if other.status.is_terminal or known.status.is_terminal:
        return other if other.status.is_terminal else known
    return evolve(other, remaining_steps=min(known.remaining_steps, other.remaining_steps))


def _moved(step: StepRow, event: StepEvent) -> StepRow:
    match event:
        case StepStarted():
            return evolve(step, status=StepStatus.STARTED, started_at=event.started_at, remaining_deps=0)
        case StepCompleted():
            return evolve(
                step,
                status=StepStatus.COMPLETED,
                output=event.output,
                completed_at=event.completed_at,
                remaining_tasks=0,
                remaining_deps=0,
            )
        case StepFailed():
            return evolve(step, status=StepStatus.FAILED, error_message=event.error_message, failed_at=event.failed_at)


def _cancelled(step: StepRow) -> StepRow:
    return step if step.status.is_terminal else evolve(step, status=StepStatus.CANCELLED)

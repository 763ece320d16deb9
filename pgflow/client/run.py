"""A run, as whoever started it or looks at it sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, overload
from uuid import UUID

from pgflow.client.dispatch import SIGNALS
from pgflow.client.drawing import drawn
from pgflow.client.step import FlowStep
from pgflow.client.values import Values
from pgflow.client.watch import Receiver, RunWatch
from pgflow.errors import RunFailedError, UnknownStepError
from pgflow.events import Event
from pgflow.graph import FlowGraph
from pgflow.graph.drawn import Drawn
from pgflow.models import RunRow, RunStatus, StepRow

if TYPE_CHECKING:
    from pgflow.client.client import FlowClient
    from pgflow.dsl import FanoutStep, Step
    from pgflow.graph.model import Shape

__all__ = ["FlowRun"]

R = TypeVar("R")
E = TypeVar("E")


class FlowRun(Drawn):
    """One run of a flow; `FlowClient` makes it, and it keeps its client alive.

    What it says of itself is what is known: as of its start or `FlowClient.get_run`, brought up to date by everything
    that waits, by receivers, and by `refresh`. Values are structured by annotation where the run was started with a
    `Flow`, and plain JSON where it was named by a slug. It may be shared by threads; it pickles as the `RunRow` that it
    last knew. A notebook shows it as a graph with the states of its steps, and so does ``rich.print``.
    """

    def __init__(self, client: FlowClient, watch: RunWatch, values: Values) -> None:
        self._client = client
        self._watch = watch
        self._values = values

    def __repr__(self) -> str:
        return f"<FlowRun {self.run_id} of flow {self.flow_slug!r}: {self.status}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _as_it_is, (self._row,)

    @property
    def _row(self) -> RunRow:
        return self._watch.state.run

    @property
    def _name(self) -> str:
        return f"run {self.run_id} of flow {self.flow_slug!r}"

    @property
    def run_id(self) -> UUID:
        """What identifies it."""
        return self._row.run_id

    @property
    def flow_slug(self) -> str:
        """The flow that it is a run of."""
        return self._row.flow_slug

    @property
    def status(self) -> RunStatus:
        """How far it has come."""
        return self._row.status

    @property
    def input(self) -> Any:
        """What it was started with."""
        return self._values.load_input(self._row.input)

    @property
    def output(self) -> dict[str, Any] | None:
        """``{leaf step slug: its output}``; None until it has completed."""
        return self._values.load_run_output(self._row.output) if self.status is RunStatus.COMPLETED else None

    @property
    def error_message(self) -> str | None:
        """Why it has failed, None if it has not."""
        return self._row.error_message

    @property
    def remaining_steps(self) -> int:
        """How many steps have not completed."""
        return self._row.remaining_steps

    @property
    def started_at(self) -> datetime:
        """When it was started."""
        return self._row.started_at

    @property
    def completed_at(self) -> datetime | None:
        """When its last step completed."""
        return self._row.completed_at

    @property
    def failed_at(self) -> datetime | None:
        """When it failed."""
        return self._row.failed_at

    @property
    def steps(self) -> Mapping[str, FlowStep[Any]]:
        """Its steps by slug; read from the tables if they have not been seen yet."""
        if not self._watch.state.steps:
            self.refresh()
        return {slug: FlowStep(self, slug, self._values.step_loader(slug)) for slug in self._watch.state.steps}

    def graph(self) -> FlowGraph:
        """Its steps as a graph with what is known of their states, to be drawn.

        Where it was not started with a `Flow`, what its steps depend on is read from the tables, which takes a role
        that may read them; psycopg's ``InsufficientPrivilege`` is raised otherwise.
        """
        if not self._watch.state.steps:
            self.refresh()
        return drawn(self.flow_slug, self._shapes(), self._watch.state.steps)

    def _shapes(self) -> Sequence[Shape]:
        flow = self._values.flow
        return self._client._connector.get_flow_shape(self.flow_slug) if flow is None else list(flow.steps.values())

    def _shown(self) -> FlowGraph | None:
        try:
            if not self._is_over:
                self.refresh()
            return self.graph()
        except Exception:  # it is only looked at: what is known of it can always be shown
            return None

    # Waiting

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> FlowRun:
        """Block until it has completed or failed, and return it; never raises for a failure.

        With ``progress`` it is drawn meanwhile on standard error, with a bar for each fan-out; where that is no
        terminal, a line is written for each change, and in a notebook its picture is kept up to date. This takes the
        extra ``cli``.

        :raises ExtraMissingError: ``progress`` is wanted, and rich is not installed.
        :raises WaitTimeoutError: after ``timeout`` seconds; None waits for ever.
        :raises UnknownRunError: it was deleted, or the transaction in which it was started was rolled back.
        :raises RunNotCommittedError: that transaction is still open.
        :raises ServerGoneError: the server went away and did not come back for minutes.
        """
        if progress:
            from pgflow.client.progress import follow, progress_of
            from pgflow.graph.progress import open_view

            follow(self, open_view(stderr=True), progress_of(self), timeout)
        else:
            self._wait(lambda: self._is_over, f"the end of {self._name}", timeout)
        return self

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Block until it has completed and return its output, ``{leaf step slug: its output}``.

        :raises RunFailedError: it has failed.

        and otherwise what `wait` raises.
        """
        self.wait(timeout)
        if self.status is RunStatus.FAILED:
            raise self._failure()
        return self._values.load_run_output(self._row.output)

    def wait_for_status(self, *statuses: RunStatus | str, timeout: float | None = None) -> RunStatus:
        """Block until it has one of these statuses, or has ended, and return its status; raises what `wait` does."""
        wanted = {RunStatus(status) for status in statuses}
        what = f"status {' or '.join(sorted(wanted))} of {self._name}" if wanted else f"the end of {self._name}"
        self._wait(lambda: self._is_over or self.status in wanted, what, timeout)
        return self.status

    @overload
    def events(self, timeout: float | None = None, *, heartbeat: None = None) -> Generator[Event, None, None]: ...
    @overload
    def events(self, timeout: float | None = None, *, heartbeat: float) -> Generator[Event | None, None, None]: ...
    def events(
        self, timeout: float | None = None, *, heartbeat: float | None = None
    ) -> Generator[Event | None, None, None]:
        """Yield what happens to it, in causal order from its start to its end, those events included that are past.

        With ``heartbeat`` it yields None whenever nothing has happened for so many seconds, so that the caller can see
        to other things. ``timeout`` is for all of it, counted from this call; otherwise it raises what `wait` does.
        Whoever stops before the end closes the generator, as garbage collection does; nothing of the wait is left then.
        """
        return self._events(timeout, heartbeat, time.monotonic())

    def _events(
        self, timeout: float | None, heartbeat: float | None, began: float
    ) -> Generator[Event | None, None, None]:
        with self._watch.waiting(self, f"the last event of {self._name}", timeout, began) as waiter:
            log = self._watch.state.log
            position = 0
            beat = _after(heartbeat)
            while True:
                # Asked before the log is read to its end: an end that comes in between is found the next time.
                is_over = self._is_over
                if position < len(log):
                    yield self._values.load_event(log[position])
                    position += 1
                elif is_over:
                    return
                elif waiter.wait(beat):
                    # Not all that wakes is an event, and what is none does not put off the beat.
                    continue
                else:
                    yield None
                beat = _after(heartbeat)

    def refresh(self, *, max_age: float = 0.0) -> FlowRun:
        """Read it from the tables, and return it.

        With ``max_age`` nothing is read where this process has begun to read it within so many seconds: those who look
        at the same run share what they read.

        :raises UnknownRunError: it was deleted.
        """
        self._watch.refresh(max_age)
        return self

    def plain(self) -> FlowRun:
        """Return the same run with its values as plain JSON, as one that is found by its id has them."""
        return FlowRun(self._client, self._watch, Values(None))

    def _wait(self, has_come: Callable[[], bool], what: str, timeout: float | None) -> None:
        with self._watch.waiting(self, what, timeout) as waiter:
            while not has_come():
                waiter.wait()

    @property
    def _is_over(self) -> bool:
        return self._watch.state.is_over

    def _failure(self) -> RunFailedError:
        step = self._watch.state.failed_step
        return RunFailedError(self, step.step_slug if step else None, self.error_message)

    # Steps

    @overload
    def step(self, step: FanoutStep[..., R], /) -> FlowStep[list[R]]: ...
    @overload
    def step(self, step: Step[..., R], /) -> FlowStep[R]: ...
    @overload
    def step(self, step: str, /) -> FlowStep[Any]: ...
    def step(self, step: Any, /) -> Any:
        """Return one of its steps, by slug, or by its handle in the flow, which says what its output is.

        :raises UnknownStepError: its flow has no such step.
        """
        values = self._values if isinstance(step, str) else Values(step.flow)
        slug = step if isinstance(step, str) else step.slug
        if values.flow is not None and values.flow.slug != self.flow_slug:
            raise UnknownStepError(f"step {slug!r} is of flow {values.flow.slug!r}, and not of {self._name}")
        if values.flow is None or slug not in values.flow.steps:
            self._step_row(slug)
        return FlowStep(self, slug, values.step_loader(slug))

    def _step_row(self, slug: str) -> StepRow:
        state = self._watch.state
        if not state.steps:
            self.refresh()
        row = state.steps.get(slug)
        if row is None:
            known = ", ".join(state.steps) or "none"
            raise UnknownStepError(f"{self._name} has no step {slug!r}; its steps: {known}")
        return row

    # Receivers

    @overload
    def on(self, event_type: type[E], receiver: Callable[[E], object]) -> Callable[[], None]: ...
    @overload
    def on(self, event_type: type[E]) -> Callable[[Callable[[E], object]], Callable[[E], object]]: ...
    @overload
    def on(self, event_type: UnionType, receiver: Callable[[Any], object]) -> Callable[[], None]: ...
    @overload
    def on(self, event_type: UnionType) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]: ...
    def on(self, event_type: Any, receiver: Any = None) -> Any:
        """Call ``receiver`` with every event of a type, or of a union of types such as `StepEvent`; also a decorator.

        Events that are past come first, so that none is missed. The receiver is called on the dispatch thread, which
        all receivers share, after those who block on the run have been woken; what it raises is logged. It is held
        until the run has ended or the function that is returned has been called.
        """
        return self._on(event_type, receiver)

    def _on(self, event_type: Any, receiver: Any, is_wanted: Callable[[Event], bool] = lambda event: True) -> Any:
        members = get_args(event_type) if get_origin(event_type) in (Union, UnionType) else (event_type,)
        types = tuple(get_origin(member) or member for member in members)
        if not set(types) <= set(SIGNALS):
            raise TypeError(f"on() takes a class of pgflow.events, or a union of them; got {event_type!r}")

        def connect(function: Callable[[Any], object]) -> Callable[[], None]:
            def call(event: Event) -> None:
                if is_wanted(event):
                    function(self._values.load_event(event))

            return self._watch.connect(self, Receiver(types, call))

        def decorate(function: Callable[[Any], object]) -> Callable[[Any], object]:
            connect(function)
            return function

        return decorate if receiver is None else connect(receiver)


def _after(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _as_it_is(row: RunRow) -> RunRow:
    return row

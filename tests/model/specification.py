"""The engine's state machine as the design describes it: pure Python, one object after the other, nothing clever.

Each method is one function of the engine. The clock is `Model.now`, which whoever drives this sets for each action.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from attrs import define, evolve, field, frozen

from tests.model.definitions import FlowDefinition, StepDefinition
from tests.model.records import Json, Message, Run, Span, Step, Task, first_of, last_of

START = Span(0, 0)
BACKOFF_CAP = 3600.0
BACKOFF_JITTER = 0.1
REPORTING = 5.0
"""Seconds by which a lease may outlast the timeout, for the report of it."""

_JSON_TYPES = ((bool, "boolean"), (str, "string"), ((int, float), "number"), (dict, "object"), (type(None), "null"))


class RefusedError(Exception):
    """A call that changes nothing and raises this SQLSTATE."""


@frozen
class Event:
    """What is notified on a run's channel; the payload lacks the run's id and the times."""

    run_id: UUID
    name: str
    payload: dict[str, Any]


@frozen
class Report:
    """What a worker says of a task: with its token, or unfenced without one."""

    run_id: UUID
    step_slug: str
    task_index: int
    token: int | None


@frozen
class Completion(Report):
    output: Json


@frozen
class Failure(Report):
    error: str | None = None
    permanent: bool = False
    retry_delay: float | None = None


@define
class Model:
    """All flows and runs of a database, and what has been notified since `events` and `woken` were last emptied."""

    now: Span = START
    flows: dict[str, FlowDefinition] = field(factory=dict)
    runs: dict[UUID, Run] = field(factory=dict)
    sleepers: dict[str, set[UUID]] = field(factory=dict)
    events: list[Event] = field(factory=list)
    woken: set[str] = field(factory=set)

    # Definitions

    def ensure_flow(self, flow: FlowDefinition, *, replace: bool = False) -> None:
        """A missing flow is created, options are updated, another shape is refused unless all is to be replaced."""
        if replace:
            self.delete_flow(flow.slug)
        known = self.flows.get(flow.slug)
        if known is not None and known.shape != flow.shape:
            raise RefusedError("PF006")
        # The steps that a flow has keep their order.
        steps = flow.steps if known is None else tuple(flow.step(step.slug) for step in known.steps)
        self.flows[flow.slug] = evolve(flow, steps=steps)

    def create_flow(self, flow: FlowDefinition) -> None:
        """One that exists stays as it is."""
        self.flows.setdefault(flow.slug, flow)

    def add_step(self, flow_slug: str, step: StepDefinition) -> None:
        """The same step again changes nothing; runs that have started do not get a new one."""
        flow = self._flow(flow_slug)
        if step.slug in flow.shape:
            if flow.shape[step.slug] != step.shape:
                raise RefusedError("PF006")
            return
        if not flow.shape.keys() >= set(step.deps):
            raise RefusedError("PF009")
        self.flows[flow_slug] = flow.with_step(step)

    def delete_flow(self, flow_slug: str) -> None:
        """With its runs and its queue."""
        self.flows.pop(flow_slug, None)
        self.sleepers.pop(flow_slug, None)
        self.runs = {run_id: run for run_id, run in self.runs.items() if run.flow_slug != flow_slug}

    # Runs

    def start_flow(
        self, flow_slug: str, input: Json, run_id: UUID, *, key: str | None = None, watched: bool = True
    ) -> Run:
        """The same run id or key again returns that run, if it is the run that is asked for."""
        flow = self._flow(flow_slug)
        known = self.runs.get(run_id) or self._bearer(flow_slug, key)
        if known is not None:
            is_same = (known.run_id, known.flow_slug, known.input) == (run_id, flow_slug, input)
            if not is_same or key not in (None, known.key):
                raise RefusedError("PF004")
            return known
        run = self.runs[run_id] = Run(run_id, flow_slug, input, key, watched)
        run.steps = {step.slug: Step(run, step) for step in flow.steps}
        self._notify(run, "run:started", flow_slug=flow_slug, input=input, remaining_steps=run.remaining_steps)
        self._go_on(run)
        return run

    def watch_run(self, run_id: UUID) -> Run | None:
        """From now on a run notifies, unless it is over."""
        run = self.runs.get(run_id)
        if run is not None and run.status == "started":
            run.watched = True
        return run

    # Work

    def read(self, tasks: Sequence[Task], lease: float) -> None:
        """The messages of these tasks are read, and hidden for so many seconds."""
        for task in tasks:
            message = _message(task)
            message.read_count += 1
            message.visible_at = self.now.after(lease)

    def start_tasks(self, tasks: Sequence[Task], worker: UUID | None) -> list[Task]:
        """Start the tasks of messages that were read, in this order; returns those that the reader is given.

        A queued task starts, a started one only if its message was read again, which means that its lease ran out. One
        that has no attempts left then is given up, and its run with it. A token is never given out twice.
        """
        started, exhausted = [], []
        for task in tasks:
            is_new = task.status == "queued" and task.token == 0
            if _message(task).read_count <= task.token and not is_new:
                continue
            if task.status == "queued" or task.attempts < self._flow_of(task).max_attempts_of(task.step.slug):
                task.status = "started"
                task.token = _message(task).read_count
                task.attempts += 1
                task.started_at = self.now
                task.worker = worker
                started.append(task)
            else:
                exhausted.append(task)
        for task in exhausted:
            if task.is_open:
                self._fail_for_good(
                    task,
                    f"gave up after {task.attempts} attempts: "
                    "each was started by a worker that neither reported on it nor kept its lease",
                )
        return [task for task in started if task.is_open]

    def complete_tasks(self, reports: Sequence[Completion]) -> list[Completion]:
        """Take results, of several tasks at once; returns the reports that changed nothing.

        Those of one statement happen together: verdicts on wrong shapes come after what the others complete.
        """
        in_order = sorted(reports, key=self._is_misshapen)
        taken = [id(report) for report in in_order if self._complete(report)]
        return [report for report in reports if id(report) not in taken]

    def fail_tasks(self, reports: Sequence[Failure]) -> list[Failure]:
        """Take failed attempts one after the other; returns the reports that changed nothing."""
        return [report for report in reports if not self._fail(report)]

    def extend_leases(self, claims: Sequence[Report], lease: float) -> list[Report]:
        """Hold tasks for so many seconds from now, but not far beyond their timeout; returns the claims that are lost.

        A lease that is longer already stays as it is.
        """
        lost = []
        for claim in claims:
            task = self._held(claim)
            if task is None or claim.token is None:
                lost.append(claim)
                continue
            timeout = self._flow_of(task).timeout_of(task.step.slug)
            message = _message(task)
            until = first_of(self.now.after(lease), task.started_at.after(timeout + REPORTING))
            message.visible_at = last_of(message.visible_at, until)
        return lost

    def release_tasks(self, claims: Sequence[Report]) -> list[Report]:
        """Hand tasks back: visible at once, the attempt not counted, the token spent; returns those that are lost."""
        lost = []
        for claim in claims:
            task = self._held(claim)
            if task is None or claim.token is None:
                lost.append(claim)
                continue
            task.status = "queued"
            task.attempts -= 1
            self._show(task, self.now)
        return lost

    # Workers

    def sleep_on_queues(self, worker: UUID, flow_slugs: Sequence[str]) -> None:
        """From now on these queues are notified of what is sent or put back."""
        for slug in flow_slugs:
            self.sleepers.setdefault(slug, set()).add(worker)

    def wake_up(self, worker: UUID, flow_slugs: Sequence[str]) -> None:
        """The worker has claimed something, or stopped."""
        for slug in flow_slugs:
            self.sleepers.get(slug, set()).discard(worker)

    # What follows

    def find(self, run_id: UUID, step_slug: str, task_index: int) -> Task | None:
        """A task, if there is one."""
        run = self.runs.get(run_id)
        step = run.steps.get(step_slug) if run else None
        return step.tasks[task_index] if step and task_index < len(step.tasks) else None

    def _flow(self, slug: str) -> FlowDefinition:
        if slug not in self.flows:
            raise RefusedError("PF001")
        return self.flows[slug]

    def _flow_of(self, task: Task) -> FlowDefinition:
        return self.flows[task.step.run.flow_slug]

    def _bearer(self, flow_slug: str, key: str | None) -> Run | None:
        """The run of the flow that bears an idempotency key."""
        if key is None:
            return None
        bearers = [run for run in self.runs.values() if (run.flow_slug, run.key) == (flow_slug, key)]
        return bearers[0] if bearers else None

    def _held(self, report: Report) -> Task | None:
        """The task, if this attempt still holds it; a lease that ran out but that nobody took still counts."""
        task = self.find(report.run_id, report.step_slug, report.task_index)
        if task is None or task.status != "started" or report.token not in (None, task.token):
            return None
        return task

    def _is_misshapen(self, report: Completion) -> bool:
        task = self._held(report)
        return (
            task is not None
            and not task.step.definition.is_fanout
            and task.step.feeds_fanout
            and not isinstance(report.output, list)
        )

    def _complete(self, report: Completion) -> bool:
        task = self._held(report)
        if task is None:
            return False
        task.output = report.output
        if self._is_misshapen(report):
            shape = next(name for types, name in _JSON_TYPES if isinstance(report.output, types))
            self._fail_for_good(task, f"Fanout dependency output must be an array, got {shape}")
            return True
        task.status = "completed"
        task.message = None
        if task.step.remaining_tasks == 0:
            self._complete_step(task.step)
            self._go_on(task.step.run)
        return True

    def _fail(self, report: Failure) -> bool:
        task = self._held(report)
        if task is None:
            return False
        error = report.error or ""
        flow = self._flow_of(task)
        if report.permanent or task.attempts >= flow.max_attempts_of(task.step.slug):
            self._fail_for_good(task, error)
            return True
        task.status = "queued"
        task.error = error
        if report.retry_delay is not None and report.retry_delay >= 0:
            self._show(task, self.now.after(report.retry_delay))
        else:
            delay = min(BACKOFF_CAP, flow.base_delay_of(task.step.slug) * 2**task.attempts)
            self._show(task, self.now.after(delay, BACKOFF_JITTER))
        return True

    def _go_on(self, run: Run) -> None:
        """Start whatever is ready, until nothing is, and complete the run when nothing remains."""
        while ready := [step for step in run.steps.values() if step.is_ready]:
            for step in ready:
                self._start_step(step)
        if run.remaining_steps == 0:
            leaves = [step for step in run.steps.values() if not step.dependents]
            run.status = "completed"
            run.output = {step.slug: step.output for step in leaves}
            self._notify(run, "run:completed", output=run.output)

    def _start_step(self, step: Step) -> None:
        """Queue the tasks of a step; a fan-out over nothing completes instead."""
        if step.definition.is_fanout:
            inputs = [{"item": item} for item in step.deps[0].output]
        else:
            inputs = [{"run": step.run.input, "deps": {dep.slug: dep.output for dep in step.deps}}]
        if not inputs:
            self._complete_step(step)
            return
        step.status = "started"
        visible_at = self.now.after(self._flow(step.run.flow_slug).start_delay_of(step.slug))
        step.tasks = [Task(step, index, given, Message(visible_at)) for index, given in enumerate(inputs)]
        self._wake(step.run.flow_slug)
        self._notify(step.run, f"{step.slug}:started", step_slug=step.slug)

    def _complete_step(self, step: Step) -> None:
        outputs = [task.output for task in step.tasks]
        step.status = "completed"
        step.output = outputs if step.definition.is_fanout else outputs[0]
        self._notify(step.run, f"{step.slug}:completed", step_slug=step.slug, output=step.output)

    def _fail_for_good(self, task: Task, error: str) -> None:
        """Fail a task, its step and its run; whatever else is open in the run is cancelled, without events."""
        step, run = task.step, task.step.run
        task.status, task.error = "failed", error
        step.status, step.error = "failed", error
        run.status, run.error = "failed", error
        for other in run.tasks:
            other.message = None
            if other.is_open:
                other.status = "cancelled"
        for sibling in run.steps.values():
            if sibling.status in ("created", "started"):
                sibling.status = "cancelled"
        self._notify(run, f"{step.slug}:failed", step_slug=step.slug, error_message=error)
        self._notify(run, "run:failed", error_message=error)

    def _show(self, task: Task, visible_at: Span) -> None:
        """Put a message back into the queue, visible from then on."""
        _message(task).visible_at = visible_at
        self._wake(task.step.run.flow_slug)

    def _wake(self, flow_slug: str) -> None:
        if self.sleepers.get(flow_slug):
            self.woken.add(flow_slug)

    def _notify(self, run: Run, name: str, **payload: Any) -> None:
        if run.watched:
            self.events.append(Event(run.run_id, name, payload))


def _message(task: Task) -> Message:
    assert task.message is not None, "an open task has a message"
    return task.message

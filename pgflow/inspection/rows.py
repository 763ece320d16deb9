"""What is read: one class a kind of row. Times are aware; seconds are by the server's clock."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from attrs import field, frozen

from pgflow.graph import FlowGraph, GraphStep
from pgflow.models import RunStatus, StepStatus

__all__ = [
    "FlowRate",
    "FlowRow",
    "QueueDepth",
    "RunDetail",
    "RunSummary",
    "RunningStep",
    "StepDetail",
    "StepShape",
    "TaskDetail",
    "WorkerRow",
    "graph_of",
]


@frozen
class FlowRow:
    """A flow that the database knows, with its defaults for steps."""

    flow_slug: str
    steps: int
    max_attempts: int
    #: Seconds.
    base_delay: int
    #: Seconds.
    timeout: int
    created_at: datetime


@frozen
class StepShape:
    """A step of such a flow; options are None where the flow's hold."""

    slug: str
    is_fanout: bool
    deps: tuple[str, ...] = field(converter=tuple)
    handler_name: str | None
    max_attempts: int | None
    base_delay: int | None
    timeout: int | None
    start_delay: int | None


@frozen
class RunSummary:
    """A run as a list shows it."""

    run_id: UUID
    flow_slug: str
    status: RunStatus = field(converter=RunStatus)
    #: How many steps it has, and how many of them have not completed.
    steps: int
    remaining_steps: int
    started_at: datetime
    ended_at: datetime | None
    #: From its start to its end, or until now.
    seconds: float
    #: The beginning of it.
    error_message: str | None


@frozen
class RunDetail:
    """A run by itself."""

    run_id: UUID
    flow_slug: str
    status: RunStatus = field(converter=RunStatus)
    remaining_steps: int
    idempotency_key: str | None
    started_at: datetime
    ended_at: datetime | None
    seconds: float
    #: JSON text, cut to the length that was asked for.
    input: str
    output: str | None
    error_message: str | None


@frozen
class StepDetail:
    """A step of a run."""

    slug: str
    is_fanout: bool
    deps: tuple[str, ...] = field(converter=tuple)
    status: StepStatus = field(converter=StepStatus)
    #: How many tasks it has; None until that is known.
    tasks: int | None
    #: How many of them are finished; None until it starts.
    done: int | None
    #: How many of them a worker has.
    running: int
    #: How many attempts have failed or were lost.
    retries: int
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    #: JSON text, cut to the length that was asked for.
    output: str | None
    error_message: str | None


@frozen
class TaskDetail:
    """A task of a run, with its last attempt."""

    step_slug: str
    task_index: int
    status: str
    #: How many attempts have begun, and how many there may be.
    attempts: int
    max_attempts: int
    started_at: datetime | None
    #: How long the last attempt has taken; None where nobody knows.
    seconds: float | None
    worker_id: UUID | None
    error_message: str | None
    traceback: str | None


@frozen
class QueueDepth:
    """The queue of a flow."""

    flow_slug: str
    #: Messages that a worker may take now, and those that one has or that are delayed.
    ready: int
    waiting: int
    #: The age of the oldest message; None if there is none.
    oldest_seconds: int | None
    #: Messages that were ever sent; what it grows by, less what the queue grows by, is what was finished.
    sent: int


@frozen
class FlowRate:
    """What became of the newest runs of a flow within the last minute."""

    flow_slug: str
    started: int
    completed: int
    failed: int


@frozen
class WorkerRow:
    """A worker of the last week: a row of ``pgflow.get_workers()``."""

    worker_id: UUID
    function_name: str
    flow_slugs: tuple[str, ...] = field(converter=tuple)
    #: ``running``, ``dead`` or ``stopped``.
    status: str
    started_at: datetime
    last_heartbeat_at: datetime
    stopped_at: datetime | None
    running_tasks: int
    #: Seconds since it was last heard of.
    silent_seconds: float
    #: Seconds since it was started, or from its start to its end.
    seconds: float


@frozen
class RunningStep:
    """What a worker is busy with: so many tasks of a step, the longest of which has run so many seconds."""

    worker_id: UUID
    flow_slug: str
    step_slug: str
    tasks: int
    seconds: float


def graph_of(flow_slug: str, steps: list[StepDetail]) -> FlowGraph:
    """Return the steps of a run as a graph."""
    return FlowGraph(
        flow_slug,
        tuple(
            GraphStep(
                step.slug, step.deps, step.is_fanout, step.status, step.tasks, step.done, step.retries, step.seconds
            )
            for step in steps
        ),
    )

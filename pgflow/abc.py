"""The seams: what a client and a worker need of the engine, as Protocols.

``FlowClient`` needs a `Client`, ``Worker`` a `TaskProcessor`; ``PsycopgConnector`` is both. Whoever writes another
connector implements these and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from pgflow.models import Completion, Failure, Json, RunRow, RunSnapshot, TaskKey, TaskRecord

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy.orm import Session

    from pgflow.events import Event
    from pgflow.graph.model import Shape

__all__ = [
    "Client",
    "FlowRealtime",
    "FlowRunView",
    "FlowStarter",
    "HandlerAccess",
    "RunObserver",
    "Subscription",
    "TaskProcessor",
    "TaskTransaction",
]


class FlowRunView(Protocol):
    """What names a run to whoever is told of it, by an error or by a signal."""

    @property
    def run_id(self) -> UUID:
        """What identifies it."""

    @property
    def flow_slug(self) -> str:
        """The flow that it is a run of."""


class FlowStarter(Protocol):
    """Defines flows and starts runs of them."""

    def ensure_flow(self, definition: Mapping[str, Json], *, replace: bool = False) -> None:
        """Define a flow that is missing and update changed options; `FlowShapeError` where the shape differs.

        With ``replace`` the flow is deleted first, with all its runs.
        """

    def start_flow(
        self,
        flow_slug: str,
        input: Json,
        *,
        run_id: UUID | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> RunRow:
        """Start a silent run, on a borrowed connection if one is given, else in a transaction of its own."""

    def start_flows(self, flow_slug: str, inputs: Sequence[Json], *, connection: Any = None) -> list[RunRow]:
        """Start a run for each input in one statement a batch; the result is in the order of the inputs."""


class HandlerAccess(Protocol):
    """What handlers are given of the database; it is pickled to where they run in other processes, and works there."""

    def get_run_with_states(self, run_id: UUID) -> RunSnapshot | None:
        """A run with its steps, or None; a handler's context reads the run input from it."""

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        """Open a transaction for a handler that has so many seconds left, on a connection of its own."""


class TaskProcessor(HandlerAccess, Protocol):
    """Claims tasks and reports on them. Every list is one statement.

    The reporting methods return the keys that changed nothing: stale, late or duplicate. That is no error.
    """

    def ensure_flow(self, definition: Mapping[str, Json]) -> None:
        """Define a flow that is missing and update changed options; `FlowShapeError` where the shape differs."""

    def check_flow(self, definition: Mapping[str, Json]) -> None:
        """`UnknownFlowError` or `FlowShapeError` where the database differs: for a role that may not define flows."""

    def poll_for_tasks(
        self, flow_slugs: Sequence[str], *, qty: int, lease: float, worker_id: UUID | None = None
    ) -> list[TaskRecord]:
        """Claim up to ``qty`` visible tasks for ``lease`` seconds, fairly among the flows; never waits."""

    def start_tasks(self, flow_slug: str, msg_ids: Sequence[int], worker_id: UUID | None = None) -> list[TaskRecord]:
        """Start the tasks of messages that the caller has read from the queue itself."""

    def complete_tasks(self, completions: Sequence[Completion]) -> list[TaskKey]:
        """Report results."""

    def fail_tasks(self, failures: Sequence[Failure]) -> list[TaskKey]:
        """Report failed attempts; the engine decides between retry and failure."""

    def extend_leases(self, keys: Sequence[TaskKey], *, lease: float) -> list[TaskKey]:
        """Hold attempts for ``lease`` more seconds from now; returned are those that another attempt has taken."""

    def release_tasks(self, keys: Sequence[TaskKey]) -> list[TaskKey]:
        """Hand tasks back unfinished: visible at once, the attempt not counted."""

    def sleep_on_queues(self, worker_id: UUID, flow_slugs: Sequence[str], *, seconds: float) -> float | None:
        """Ask to be notified of new messages for ``seconds``; returns seconds to the next due message, None if none.

        A message that was being sent while this was called can go unnotified: poll again after it, at once and with
        growing pauses.
        """

    def listen_on_queues(self, flow_slugs: Sequence[str], wake: Callable[[], None]) -> Subscription:
        """Call ``wake`` from a background thread whenever one of the queues is notified, and after a reconnect."""

    def register_worker(self, worker_id: UUID, flow_slugs: Sequence[str], function_name: str) -> None:
        """Note that this worker lives."""

    def heartbeat_worker(self, worker_id: UUID) -> bool:
        """Note that it still does; False if it has been forgotten meanwhile and has to register again."""

    def stop_worker(self, worker_id: UUID) -> None:
        """Note that it stopped in order."""

    def close(self) -> None:
        """Close every connection; idempotent."""


class TaskTransaction(Protocol):
    """A transaction of a handler's, which its task completes in."""

    @property
    def connection(self) -> Connection[Any]:
        """Where the handler writes."""

    @property
    def session(self) -> Session:
        """The same transaction as a SQLAlchemy session."""

    def complete(self, completion: Completion) -> bool:
        """Take the result and commit all; False, and nothing is kept, if that result is not wanted any more."""

    def roll_back(self) -> None:
        """Undo everything; idempotent."""


class Subscription(Protocol):
    """Something that is listened to until it is cancelled."""

    def cancel(self) -> None:
        """Stop listening; idempotent."""


class RunObserver(Protocol):
    """Who follows a run. Every method is called from the listener's thread and must not block.

    A snapshot comes first, with every end of a step or of the run, which no notification is believed, after every
    reconnect, and wherever events may have been missed. So it can be older or newer than what is known: states only
    move forward.
    """

    @property
    def version(self) -> int:
        """How far the run is known to have come: its steps that left ``created`` plus those that have ended."""

    def on_snapshot(self, snapshot: RunSnapshot) -> None:
        """The run as the tables have it."""

    def on_event(self, event: Event) -> None:
        """What began in the run since; what ended comes as a snapshot."""

    def on_error(self, error: Exception) -> None:
        """Nothing more will come: there is no such run, or the server is gone for good. The subscription has ended."""


class FlowRealtime(Protocol):
    """Follows runs."""

    def subscribe(self, run_id: UUID, observer: RunObserver) -> Subscription:
        """Watch a run: its snapshot first, then what happens after it, until the subscription is cancelled."""

    def get_run_with_states(self, run_id: UUID) -> RunSnapshot | None:
        """The snapshot of a run, or None if there is no such run."""

    def get_flow_shape(self, flow_slug: str) -> Sequence[Shape]:
        """The steps of a flow, each after those that it depends on; none if there is no such flow.

        Only a role that may read tables may ask: the engine has no function for it.
        """


class Client(FlowStarter, FlowRealtime, Protocol):
    """What `FlowClient` needs."""

    def close(self) -> None:
        """Close every connection; idempotent."""

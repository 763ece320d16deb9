"""One run, driven to its end in the calling thread, on one connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from attrs import frozen

from pgflow.client import FlowClient, FlowRun
from pgflow.engine.borrowing import BorrowedConnector
from pgflow.models import Completion
from pgflow.worker.context import Context, Transacted
from pgflow.worker.database import HandlerDatabase
from pgflow.worker.failures import failure_of
from pgflow.worker.steps import known_steps, step_of

if TYPE_CHECKING:
    from pgflow.dsl import AnyStep, Flow

__all__ = ["Attempt", "DrivenRun", "run_flow"]

#: Seconds: nobody else is to take a task over, not even during a session with a debugger.
_LEASE = 86_400.0


@frozen
class Attempt:
    """One call of a handler."""

    step_slug: str
    #: The item's place in the fan-out's array; 0 for a single step.
    task_index: int
    #: 1 for the first attempt at a task.
    number: int
    #: What the handler raised, as it was raised; None if it returned.
    error: Exception | None


class DrivenRun(FlowRun):
    """A run that `run_flow` has driven to its end: it knows how."""

    #: Every call of a handler, in the order in which they were made.
    attempts: Sequence[Attempt] = ()

    def attempts_at(self, step: AnyStep | str) -> list[Attempt]:
        """Return the calls of one step's handler; none if it was never called.

        :raises UnknownStepError: the flow has no such step.
        """
        slug = self.step(step).slug
        return [attempt for attempt in self.attempts if attempt.step_slug == slug]


def run_flow(flow: Flow[Any], input: Any = None, *, connection: Any = None) -> DrivenRun:
    """Start a run of ``flow`` with ``input``, call its handlers here and now, and return the run, completed or failed.

    There is no thread and no sleeping: a retry follows at once, whatever its delay, and timeouts are not enforced.
    The flow is defined if the database does not know it. An exception of a handler fails its attempt as it would in a
    worker; what is no `Exception`, like KeyboardInterrupt or pytest's own outcomes, passes through.

    :param connection: where everything happens, inside its transaction if it has one: a psycopg connection, a
        SQLAlchemy ``Connection`` or ``Session``, or Django's. So a test that rolls back, or Django's ``TestCase``,
        leaves nothing behind. None opens one to the environment's ``PGFLOW_DSN`` and commits.
    :raises NotJsonError: if ``input`` does not fit the flow or cannot be stored.
    :raises FlowShapeError: if the database holds the flow in another shape.
    """
    with _connector(connection) as connector:
        connector.ensure_flow(flow.definition())
        started = FlowClient(connector=connector).start(flow, input)
        run = DrivenRun(started._client, started._watch, started._values)
        run.attempts = tuple(_drive(flow, run.run_id, connector))
        run.refresh()
        return run


@contextmanager
def _connector(connection: Any) -> Iterator[BorrowedConnector]:
    if connection is not None:
        yield BorrowedConnector(connection)
        return
    import psycopg

    from pgflow.dsn import resolve

    with psycopg.connect(resolve(), autocommit=True) as own:
        yield BorrowedConnector(own)


def _drive(flow: Flow[Any], run_id: UUID, connector: BorrowedConnector) -> Iterator[Attempt]:
    """Run tasks until none is left; a failed task may have ended the run for the others."""
    steps = known_steps(flow)
    database = HandlerDatabase(connector)
    while records := connector.claim_run_tasks(run_id, lease=_LEASE):
        for record in records:
            step = step_of(record, steps)
            context = Context(record, timeout=step.timeout, structure=step.load_run_input, database=database)
            try:
                output = step.call(record.input, context)
            except Exception as error:
                yield Attempt(record.step_slug, record.task_index, record.attempts_count, error)
                connector.fail_tasks([failure_of(record.key, error)])
                if _is_over(run_id, connector):
                    return
            else:
                yield Attempt(record.step_slug, record.task_index, record.attempts_count, None)
                # What a handler has committed itself is in the engine.
                if not isinstance(output, Transacted):
                    connector.complete_tasks([Completion(record.key, output)])


def _is_over(run_id: UUID, connector: BorrowedConnector) -> bool:
    snapshot = connector.get_run_with_states(run_id)
    return snapshot is None or snapshot.run.status.is_terminal

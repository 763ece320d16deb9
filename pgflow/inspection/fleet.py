"""Queues, and the workers that serve them."""

from __future__ import annotations

from contextlib import suppress

from psycopg.errors import UndefinedTable
from psycopg.sql import SQL, Identifier

from pgflow.inspection import statements
from pgflow.inspection.flows import flows
from pgflow.inspection.rows import FlowRate, QueueDepth, RunningStep, WorkerRow
from pgflow.inspection.selecting import Connection, select

__all__ = ["flow_rates", "queue_depths", "running_steps", "workers"]


def queue_depths(connection: Connection) -> list[QueueDepth]:
    """Return the depth of the queue of each flow; flows whose queue is gone are left out."""
    return select(connection, QueueDepth, statements.QUEUE_DEPTHS)


def flow_rates(connection: Connection) -> list[FlowRate]:
    """Return what happened within a minute to the newest 10,000 runs, by flow; flows without any are left out."""
    return select(connection, FlowRate, statements.FLOW_RATES)


def workers(connection: Connection) -> list[WorkerRow]:
    """Return the workers of the last week: those that work first, then the dead, then those that stopped."""
    return select(connection, WorkerRow, statements.WORKERS)


def running_steps(connection: Connection) -> list[RunningStep]:
    """Return what workers are busy with, as far as the queues tell that are there."""
    found: list[RunningStep] = []
    for flow in flows(connection):
        queue = Identifier("pgmq", f"q_{flow.flow_slug.lower()}")
        # The flow may just have been deleted: the caller's transaction, if there is one, outlives that.
        with suppress(UndefinedTable), connection.transaction():
            found += select(connection, RunningStep, SQL(statements.RUNNING_STEPS).format(queue=queue))
    return found

"""Runs, their steps and their tasks."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from pgflow.errors import UnknownRunError
from pgflow.inspection import statements
from pgflow.inspection.rows import RunDetail, RunSummary, StepDetail, TaskDetail
from pgflow.inspection.selecting import Connection, select

__all__ = ["run_detail", "run_steps", "run_tasks", "runs"]

_WHOLE = 2**31 - 1


def runs(
    connection: Connection,
    *,
    flow_slug: str | None = None,
    statuses: Collection[str] = (),
    younger: float | None = None,
    older: float | None = None,
    limit: int = 20,
) -> list[RunSummary]:
    """Return the newest runs first.

    :param statuses: only runs in one of these; none is all of them.
    :param younger: only runs that were started within so many seconds; ``older``, only those started before that.
    """
    return select(
        connection,
        RunSummary,
        statements.RUNS,
        flow_slug=flow_slug,
        statuses=list(statuses) or None,
        younger=younger,
        older=older,
        limit=limit,
    )


def run_detail(connection: Connection, run_id: UUID, *, longest: int | None = None) -> RunDetail:
    """Return a run, with no more than ``longest`` characters of its input and of its output.

    :raises UnknownRunError: there is no such run.
    """
    found = select(connection, RunDetail, statements.RUN, run_id=run_id, longest=_longest(longest))
    if not found:
        raise UnknownRunError(f"there is no run {run_id}")
    return found[0]


def run_steps(connection: Connection, run_id: UUID, *, longest: int | None = 0) -> list[StepDetail]:
    """Return the steps of a run in the order of their definition, with ``longest`` characters of each output."""
    return select(connection, StepDetail, statements.RUN_STEPS, run_id=run_id, longest=_longest(longest))


def run_tasks(
    connection: Connection, run_id: UUID, *, troubled: bool = False, limit: int | None = None
) -> list[TaskDetail]:
    """Return the tasks of a run, of each step no more than ``limit``: what failed first, then what is under way.

    :param troubled: only those that have failed or needed more than one attempt.
    """
    return select(connection, TaskDetail, statements.RUN_TASKS, run_id=run_id, troubled=troubled, limit=limit)


def _longest(longest: int | None) -> int:
    return _WHOLE if longest is None else longest

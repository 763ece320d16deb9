"""Has a database record what happens in it, and reads what it has recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from tests.chaos.history import Change, Event, History, RunRow, StepRow, Task, TaskChange, TaskRow

_SCRIPT = Path(__file__).with_name("audit.sql")

K = TypeVar("K")
V = TypeVar("V")


def install(dsn: str) -> None:
    """Record from now on; before the first run."""
    with psycopg.connect(dsn) as connection:
        connection.execute(_SCRIPT.read_bytes())


def read(dsn: str, lease: float) -> History:
    """Return what the database knows; what was noted outside of it is for the caller to add."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = _Rows(connection)
        return History(
            lease=lease,
            runs=[
                RunRow(*row)
                for row in rows("select run_id, flow_slug, input, status, output, error_message from pgflow.runs")
            ],
            steps={
                (run_id, step): StepRow(*row)
                for run_id, step, *row in rows(
                    "select run_id, step_slug, status, initial_tasks, output, error_message from pgflow.step_states"
                )
            },
            tasks={
                Task(run_id, step, index): TaskRow(*row)
                for run_id, step, index, *row in rows(
                    "select run_id, step_slug, task_index, status, token, attempts_count from pgflow.step_tasks"
                )
            },
            deps=_grouped(
                (flow, (dep, step))
                for flow, dep, step in rows("select flow_slug, dep_slug, step_slug from pgflow.deps")
            ),
            timeouts={
                (flow, step): seconds
                for flow, step, seconds in rows(
                    "select s.flow_slug, s.step_slug, coalesce(s.opt_timeout, f.opt_timeout) "
                    "from pgflow.steps as s join pgflow.flows as f on f.flow_slug = s.flow_slug"
                )
            },
            run_changes=_grouped(
                (run_id, Change(before, after))
                for run_id, before, after in rows("select run_id, before, after from chaos.run_changes order by n")
            ),
            step_changes=_grouped(
                ((run_id, step), Change(before, after))
                for run_id, step, before, after in rows(
                    "select run_id, step_slug, before, after from chaos.step_changes order by n"
                )
            ),
            task_changes=_grouped(
                (task := Task(run_id, step, index), TaskChange(task, *row))
                for run_id, step, index, *row in rows(
                    "select run_id, step_slug, task_index, before, after, token, attempts_count, worker_id, "
                    "extract(epoch from began)::float8, extract(epoch from at)::float8, error_message "
                    "from chaos.task_changes order by n"
                )
            ),
            events=_grouped(
                (run_id, Event(name, payload))
                for run_id, name, payload in rows("select run_id, name, payload from chaos.events order by n")
            ),
            effects=[row[0] for row in rows("select task from chaos.effects")],
            messages={
                name: rows(f'select count(*) from pgmq."{name}"')[0][0]
                for prefix in ("q_", "a_")
                for (name,) in rows("select %s || lower(flow_slug) from pgflow.flows", prefix)
            },
            invariants=[row[0] for row in rows("select c::text from pgflow.check_invariants() as c")],
        )


class _Rows:
    """All rows of a query."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __call__(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode(), parameters).fetchall()


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    found: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)

"""The same picture of tables and queues, drawn from the database and from the specification, to be compared."""

from __future__ import annotations

import json
from typing import Any, TypeAlias
from uuid import UUID

from attrs import frozen

from tests.model.records import ABSENT, Run, Span, Step, Task
from tests.model.specification import Model
from tests.plugins.engine import Engine

TaskKey: TypeAlias = tuple[UUID, str, int]
Row: TypeAlias = dict[str, Any]

_RUNS = """
select run_id, flow_slug, status, input::text, output::text, error_message, remaining_steps, watched, idempotency_key,
  to_jsonb(started_at) as started_at, to_jsonb(completed_at) as completed_at, to_jsonb(failed_at) as failed_at
from pgflow.runs
"""
_STEPS = """
select run_id, step_slug, flow_slug, status, output::text, error_message, initial_tasks, remaining_tasks,
  remaining_deps, to_jsonb(started_at) as started_at, to_jsonb(completed_at) as completed_at,
  to_jsonb(failed_at) as failed_at
from pgflow.step_states
"""
_TASKS = """
select run_id, step_slug, task_index, flow_slug, message_id, status, token, attempts_count, output::text,
  error_message, last_worker_id, extract(epoch from started_at)::float8 as started_at
from pgflow.step_tasks
"""
_MESSAGES = """
select msg_id, read_ct, extract(epoch from vt)::float8 as visible_at,
  (message ->> 'run_id')::uuid as run_id, message ->> 'step_slug' as step_slug,
  (message ->> 'task_index')::integer as task_index
from pgmq."q_{queue}" order by vt, ctid
"""
TIMES = ("started_at", "completed_at", "failed_at")


@frozen
class Picture:
    """All rows by their keys; the messages in the order in which they become visible."""

    clock: float
    runs: dict[UUID, Row]
    steps: dict[tuple[UUID, str], Row]
    tasks: dict[TaskKey, Row]
    messages: dict[TaskKey, Row]
    violations: list[Row]


def read(engine: Engine) -> Picture:
    """What the database holds now; its clock is read first, when all that happened before is in the past."""
    clock = engine.value("select extract(epoch from clock_timestamp())::float8")
    queues = [
        message
        for flow in engine.rows("select lower(flow_slug) as queue from pgflow.flows order by 1")
        for message in engine.rows(_MESSAGES.format(queue=flow["queue"]))
    ]
    return Picture(
        clock,
        {row["run_id"]: row for row in engine.rows(_RUNS)},
        {(row["run_id"], row["step_slug"]): row for row in engine.rows(_STEPS)},
        {_key(row): row for row in engine.rows(_TASKS)},
        {_key(row): row for row in queues},
        engine.rows("select * from pgflow.check_invariants()"),
    )


def canonical(value: Any) -> str | None:
    """JSON as text that is equal for equal values; None for a column without any."""
    return None if value is ABSENT else json.dumps(value, sort_keys=True)


def run_row(run: Run) -> Row:
    """The columns of a run's row, as the specification has them."""
    return {
        "flow_slug": run.flow_slug,
        "status": run.status,
        "input": canonical(run.input),
        "output": canonical(run.output),
        "error_message": run.error,
        "remaining_steps": run.remaining_steps,
        "watched": run.watched,
        "idempotency_key": run.key,
    }


def step_row(step: Step) -> Row:
    """The columns of a step's row."""
    return {
        "flow_slug": step.run.flow_slug,
        "status": step.status,
        "output": canonical(step.output),
        "error_message": step.error,
        "initial_tasks": step.initial_tasks,
        "remaining_tasks": step.remaining_tasks,
        "remaining_deps": step.remaining_deps,
    }


def task_row(task: Task) -> Row:
    """The columns of a task's row."""
    return {
        "flow_slug": task.step.run.flow_slug,
        "status": task.status,
        "token": task.token,
        "attempts_count": task.attempts,
        "output": canonical(task.output),
        "error_message": task.error,
        "last_worker_id": task.worker,
    }


def differences(model: Model, picture: Picture) -> list[str]:
    """What the tables and queues say otherwise than the specification, a sentence each."""
    steps = {(run.run_id, step.slug): step for run in model.runs.values() for step in run.steps.values()}
    tasks = {task_key(task): task for run in model.runs.values() for task in run.tasks}
    messages = {key: task.message for key, task in tasks.items() if task.message is not None}
    found = [
        *_compare("run", {key: run_row(run) for key, run in model.runs.items()}, picture.runs),
        *_compare("step", {key: step_row(step) for key, step in steps.items()}, picture.steps),
        *_compare("task", {key: task_row(task) for key, task in tasks.items()}, picture.tasks),
        *_compare("message", {key: {"read_ct": m.read_count} for key, m in messages.items()}, picture.messages),
        *(f"invariant: {row}" for row in picture.violations),
    ]
    for key in messages.keys() & picture.messages.keys():
        visible_at = picture.messages[key]["visible_at"]
        if visible_at not in messages[key].visible_at:
            found.append(f"message {key} is visible at {visible_at:f} instead of {messages[key].visible_at}")
        if picture.messages[key]["msg_id"] != picture.tasks[key]["message_id"]:
            found.append(f"message {key} is not the one of its task")
    return found


def pin(model: Model, picture: Picture) -> None:
    """Replace what the specification knows of moments by what they turned out to be."""
    for run in model.runs.values():
        for task in run.tasks:
            row = picture.tasks[task_key(task)]
            if task.status == "started":
                task.started_at = Span(row["started_at"], row["started_at"])
            if task.message is not None:
                visible_at = picture.messages[task_key(task)]["visible_at"]
                task.message.visible_at = Span(visible_at, visible_at)


def task_key(task: Task) -> TaskKey:
    """The key of a task's row."""
    return task.step.run.run_id, task.step.slug, task.index


def _key(row: Row) -> TaskKey:
    return row["run_id"], row["step_slug"], row["task_index"]


def _compare(kind: str, expected: dict[Any, Row], actual: dict[Any, Row]) -> list[str]:
    found = [f"{kind} {key} is missing" for key in expected.keys() - actual.keys()]
    found += [f"{kind} {key} should not be there" for key in actual.keys() - expected.keys()]
    for key in expected.keys() & actual.keys():
        for column, value in expected[key].items():
            seen = actual[key][column]
            if column in ("input", "output") and seen is not None:
                seen = canonical(json.loads(seen))
            if seen != value:
                found.append(f"{kind} {key}: {column} is {seen!r} instead of {value!r}")
    return found

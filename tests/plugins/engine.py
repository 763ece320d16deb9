"""Drives the engine by its SQL functions alone, so that a test of them is a few sentences.

A flow is a mapping of step slugs to their dependencies: ``{"a": [], "b": ["a"], "c": fanout("b")}``. Reports travel on
one of the engine's two paths, scalar or set-based; `both_paths` holds a test to either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias
from uuid import UUID

import pytest
from attrs import define, field, frozen
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

from tests.plugins.databases import Connection

Row: TypeAlias = dict[str, Any]
Path: TypeAlias = Literal["scalar", "set-based"]

NOBODY = UUID(int=0)
"""The id of no run."""

FALSY: tuple[Any, ...] = (False, 0, 0.0, "", [], {}, None)
"""What a careless `or` would swallow."""

both_paths = pytest.mark.parametrize("engine", ["scalar", "set-based"], indirect=True)
"""Runs a test twice: each report by a call of its own, and in batches that take the set-based path."""


@frozen
class Task:
    """What a worker is given: a row of ``pgflow.step_task_record``."""

    flow_slug: str
    run_id: UUID
    step_slug: str
    input: Any
    msg_id: int
    task_index: int
    token: int
    attempts_count: int


@frozen
class Step:
    """A step to define; `options` are further parameters of ``add_step``."""

    deps: tuple[str, ...] = ()
    step_type: str = "single"
    options: Mapping[str, Any] = field(factory=dict)


def single(*deps: str, **options: Any) -> Step:
    """A step with options; one without is simply a list of its dependencies."""
    return Step(deps, "single", options)


def fanout(dep: str, **options: Any) -> Step:
    """A step with a task for each element of the array that `dep` returns."""
    return Step((dep,), "fanout", options)


Steps: TypeAlias = Mapping[str, Sequence[str] | Step]
Handlers: TypeAlias = Mapping[str, Any]
Report: TypeAlias = tuple[Task, Any]


@define
class Engine:
    """The engine on one connection. Whatever names no flow means the flow `flow`."""

    connection: Connection
    path: Path = "scalar"

    def rows(self, query: str, *parameters: Any) -> list[Row]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), parameters or None).fetchall()

    def row(self, query: str, *parameters: Any) -> Row:
        (row,) = self.rows(query, *parameters)
        return row

    def value(self, query: str, *parameters: Any) -> Any:
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            ((value,),) = cursor.execute(query.encode(), parameters or None).fetchall()
        return value

    def do(self, query: str, *parameters: Any) -> None:
        self.connection.execute(query.encode(), parameters or None)

    def become(self, role: str) -> None:
        """Act with the rights of a role, until `become_oneself` or the end of the transaction."""
        self.do(f'set local role "{role}"')

    def become_oneself(self) -> None:
        self.do("reset role")

    # Definitions

    def define(self, steps: Steps, *, flow: str = "flow", **options: Any) -> None:
        """Define a flow; failed attempts are retried at once unless `options` say otherwise."""
        self.call("create_flow", flow_slug=flow, **{"base_delay": 0, **options})
        for slug, step in steps.items():
            step = step if isinstance(step, Step) else single(*step)
            self.call(
                "add_step",
                flow_slug=flow,
                step_slug=slug,
                deps_slugs=list(step.deps),
                step_type=step.step_type,
                **step.options,
            )

    def call(self, function: str, **arguments: Any) -> list[Row]:
        """Call a function of the engine by the names of its parameters."""
        names = ", ".join(f"{name} => %s" for name in arguments)
        return self.rows(f"select * from pgflow.{function}({names})", *arguments.values())

    # Runs

    def start(self, input: Any = None, *, flow: str = "flow", **options: Any) -> UUID:
        """Start a run and return its id."""
        (run,) = self.call("start_flow", flow_slug=flow, input=Jsonb(input), **options)
        run_id: UUID = run["run_id"]
        return run_id

    def run(self, run_id: UUID) -> Row:
        return self.row("select * from pgflow.runs where run_id = %s", run_id)

    def step(self, run_id: UUID, step_slug: str) -> Row:
        return self.row("select * from pgflow.step_states where run_id = %s and step_slug = %s", run_id, step_slug)

    def statuses(self, run_id: UUID) -> dict[str, str]:
        """The status of each step of a run."""
        states = self.rows(
            "select step_slug, status from pgflow.step_states where run_id = %s order by step_slug", run_id
        )
        return {state["step_slug"]: state["status"] for state in states}

    def tasks(self, run_id: UUID, step_slug: str) -> list[Row]:
        """The tasks of a step by index."""
        return self.rows(
            "select * from pgflow.step_tasks where run_id = %s and step_slug = %s order by task_index",
            run_id,
            step_slug,
        )

    def task(self, task: Task) -> Row:
        """The row of a task as it now is."""
        return self.tasks(task.run_id, task.step_slug)[task.task_index]

    def messages(self, flow: str = "flow") -> list[Row]:
        """What is in a flow's queue, with `hidden`, the seconds until each message is visible."""
        return self.rows(
            f"""select *, extract(epoch from vt - clock_timestamp())::float8 as hidden
                from pgmq."q_{flow.lower()}" order by msg_id"""
        )

    # Work

    def poll(self, qty: int = 10, *, lease: float = 30, flow: str | Sequence[str] = "flow") -> list[Task]:
        """Claim tasks; a lease of 0 seconds has run out when this returns."""
        flows = [flow] if isinstance(flow, str) else list(flow)
        return _as_tasks(self.call("claim_tasks", p_flow_slugs=flows, p_qty=qty, p_lease=lease))

    def poll_one(self, *, lease: float = 30, flow: str = "flow") -> Task:
        """Claim one task, which must be there."""
        (task,) = self.poll(1, lease=lease, flow=flow)
        return task

    def complete(self, task: Task, output: Any = None, *, token: int | None = -1) -> Row:
        """Report a result, with the task's own token unless another is given; return the task as it then is."""
        self.complete_all([(task, output)], tokens=[task.token if token == -1 else token])
        return self.task(task)

    def complete_all(self, reports: Iterable[Report], *, tokens: Sequence[int | None] | None = None) -> None:
        """Report results, on the scalar path one by one."""
        reports = list(reports)
        tokens = tokens or [task.token for task, _ in reports]
        if self.path == "set-based":
            self.complete_tasks(reports, tokens=tokens)
            return
        for (task, output), token in zip(reports, tokens, strict=True):
            self.call(
                "complete_task",
                run_id=task.run_id,
                step_slug=task.step_slug,
                task_index=task.task_index,
                output=Jsonb(output),
                token=token,
            )

    def complete_tasks(
        self, reports: Iterable[Report], *, tokens: Sequence[int | None] | None = None
    ) -> list[tuple[str, int]]:
        """Report results in one batch; return the (step slug, task index) of those that changed nothing."""
        reports = list(reports)
        tokens = tokens or [task.token for task, _ in reports]
        lost = self.call(
            "complete_tasks",
            # A report of no run at all: a batch of one would take the scalar path.
            p_run_ids=[*(task.run_id for task, _ in reports), NOBODY],
            p_step_slugs=[*(task.step_slug for task, _ in reports), ""],
            p_task_indexes=[*(task.task_index for task, _ in reports), 0],
            p_outputs=[*(Jsonb(output) for _, output in reports), Jsonb(None)],
            p_tokens=[*tokens, None],
        )
        assert lost[-1]["run_id"] == NOBODY
        return [(row["step_slug"], row["task_index"]) for row in lost[:-1]]

    def fail(self, task: Task, error: str | None = "it broke", *, token: int | None = -1, **options: Any) -> Row:
        """Report a failure, with the task's own token unless another is given; return the task as it then is."""
        token = task.token if token == -1 else token
        if self.path == "set-based":
            self.fail_tasks([(task, error)], tokens=[token], **options)
        else:
            key = {"run_id": task.run_id, "step_slug": task.step_slug, "task_index": task.task_index}
            self.call("fail_task", **key, error_message=error, token=token, **options)
        return self.task(task)

    def fail_tasks(
        self,
        reports: Iterable[Report],
        *,
        tokens: Sequence[int | None] | None = None,
        permanent: bool = False,
        retry_delay: float | None = None,
        traceback: str | None = None,
    ) -> list[tuple[str, int]]:
        """Report failures in one batch; return the (step slug, task index) of those that changed nothing."""
        reports = list(reports)
        lost = self.call(
            "fail_tasks",
            **_keys(task for task, _ in reports),
            p_error_messages=[error for _, error in reports],
            p_tokens=tokens or [task.token for task, _ in reports],
            p_permanent=[permanent for _ in reports],
            p_retry_delays=[retry_delay for _ in reports],
            p_tracebacks=[traceback for _ in reports],
        )
        return [(row["step_slug"], row["task_index"]) for row in lost]

    def extend(self, *tasks: Task, lease: float) -> list[tuple[str, int]]:
        """Extend leases; return the (step slug, task index) of those that are lost."""
        tokens = [task.token for task in tasks]
        lost = self.call("extend_leases", **_keys(tasks), p_tokens=tokens, p_lease=lease)
        return [(row["step_slug"], row["task_index"]) for row in lost]

    def release(self, *tasks: Task) -> list[tuple[str, int]]:
        """Hand tasks back; return the (step slug, task index) of those that were lost before."""
        lost = self.call("release_tasks", **_keys(tasks), p_tokens=[task.token for task in tasks])
        return [(row["step_slug"], row["task_index"]) for row in lost]

    def work(self, handlers: Handlers | None = None, *, flow: str = "flow", qty: int = 10) -> list[Task]:
        """Work until nothing is visible in the queue, and return what was worked.

        :param handlers: the output of each step, or a function from its task to the output; null where it is missing
        """
        worked: list[Task] = []
        while tasks := self.poll(qty, flow=flow):
            self.complete_all((task, _handle((handlers or {}).get(task.step_slug), task)) for task in tasks)
            worked += tasks
        return worked

    def violations(self) -> set[str]:
        """The invariants that something in the database violates."""
        return {row["invariant"] for row in self.rows("select invariant from pgflow.check_invariants()")}


def _handle(handler: Any, task: Task) -> Any:
    return handler(task) if callable(handler) else handler


def _as_tasks(rows: Iterable[Row]) -> list[Task]:
    return [Task(**row) for row in rows]


def _keys(tasks: Iterable[Task]) -> dict[str, list[Any]]:
    tasks = list(tasks)
    return {
        "p_run_ids": [task.run_id for task in tasks],
        "p_step_slugs": [task.step_slug for task in tasks],
        "p_task_indexes": [task.task_index for task in tasks],
    }

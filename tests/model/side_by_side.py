"""What can be done to the engine and to its specification side by side. Time never passes by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from attrs import define, field
from psycopg.types.json import Jsonb

from tests.model.comparison import Comparison
from tests.model.definitions import FlowDefinition, StepDefinition
from tests.model.pictures import canonical, task_key
from tests.model.records import Run, Task
from tests.model.specification import Completion, Failure, Report
from tests.plugins import engine as engines
from tests.plugins.engine import Row

LONG = 3600.0
"""Seconds that no history lasts."""

PLENTY = 1000

Snapshot: TypeAlias = tuple[str, dict[str, str]]
"""The status of a run and those of its steps; whatever else the snapshot holds is compared with the tables."""


@define
class SideBySide(Comparison):
    """A comparison, with the tasks that were ever given out, and the messages that were read without starting them."""

    claims: list[engines.Task] = field(factory=list)
    reads: list[tuple[str, list[int]]] = field(factory=list)

    # Definitions

    def define(self, flow: FlowDefinition, *, replace: bool = False) -> None:
        """Bring a definition into the database as a starting worker does."""
        self.ear.listen_on(f"pgflow:queue:{flow.slug}")
        self.act(
            lambda: self._do("ensure_flow", p_definition=Jsonb(_definition(flow)), p_replace=replace),
            lambda: self.model.ensure_flow(flow, replace=replace),
        )

    def define_in_sql(self, flow: FlowDefinition) -> None:
        """Define a flow by the calls of a compiled one; one that exists keeps its options."""
        options = {"max_attempts": flow.max_attempts, "base_delay": flow.base_delay, "timeout": flow.timeout}
        self.ear.listen_on(f"pgflow:queue:{flow.slug}")
        self.act(
            lambda: self._do("create_flow", flow_slug=flow.slug, **options),
            lambda: self.model.create_flow(FlowDefinition(flow.slug, (), **options)),
        )
        for step in flow.steps:
            self.add_step(flow.slug, step)

    def add_step(self, flow_slug: str, step: StepDefinition) -> None:
        arguments = {**_options(step), "deps_slugs": list(step.deps), "step_type": _step_type(step)}
        self.act(
            lambda: self._do("add_step", flow_slug=flow_slug, step_slug=step.slug, **arguments),
            lambda: self.model.add_step(flow_slug, step),
        )

    # Runs

    def start(self, flow_slug: str, input: Any, run_id: UUID, *, key: str | None = None, watched: bool = True) -> None:
        self.listen(run_id)

        def start() -> Row:
            (row,) = self._call(
                "start_flow",
                flow_slug=flow_slug,
                input=Jsonb(input),
                run_id=run_id,
                idempotency_key=key,
                watched=watched,
            )
            return _pick(row, "run_id", "status", "remaining_steps", "watched")

        def expect() -> Row:
            run = self.model.start_flow(flow_slug, input, run_id, key=key, watched=watched)
            return {
                "run_id": run.run_id,
                "status": run.status,
                "remaining_steps": run.remaining_steps,
                "watched": run.watched,
            }

        self.act(start, expect)

    def start_with_states(
        self, flow_slug: str, input: Any, run_id: UUID, *, key: str | None = None, watched: bool = True
    ) -> None:
        self.listen(run_id)
        self.act(
            lambda: self._snapshot(
                "start_flow_with_states",
                p_flow_slug=flow_slug,
                p_input=Jsonb(input),
                p_run_id=run_id,
                p_idempotency_key=key,
                p_watched=watched,
            ),
            lambda: _snapshot_of(self.model.start_flow(flow_slug, input, run_id, key=key, watched=watched)),
        )

    def start_many(self, flow_slug: str, inputs: Sequence[Any], *, watched: bool = True) -> None:
        started: list[UUID] = []

        def start() -> list[str]:
            arguments = {"p_inputs": [Jsonb(given) for given in inputs], "p_watched": watched}
            rows = self._call("start_flows", p_flow_slug=flow_slug, **arguments)
            started.extend(row["run_id"] for row in rows)
            self.listen(*started)  # before the commit
            return [row["status"] for row in rows]

        def expect() -> list[str]:
            runs = zip(inputs, started, strict=True)
            return [self.model.start_flow(flow_slug, given, run_id, watched=watched).status for given, run_id in runs]

        self.act(start, expect)

    def watch(self, run_id: UUID) -> None:
        """A watcher comes: it listens, and then marks the run."""
        self.listen(run_id)
        self.act(lambda: self._snapshot("watch_run", run_id=run_id), lambda: _snapshot_of(self.model.watch_run(run_id)))

    def listen(self, *run_ids: UUID) -> None:
        self.ear.listen_to(*run_ids)
        self.listens_to.update(run_ids)

    def leave(self, run_id: UUID) -> None:
        """A watcher goes: the run stays marked, but nobody listens."""
        self.ear.leave(run_id)
        self.listens_to.discard(run_id)

    # Claims

    def waiting(self) -> list[Task]:
        """The tasks that have messages, visible or not."""
        return [task for run in self.model.runs.values() for task in run.tasks if task.message is not None]

    def due(self, flow_slug: str) -> list[Task]:
        """The tasks of the messages that are visible, in the order in which they became so."""
        messages = self.picture.messages.items()
        visible = [self.model.find(*key) for key, message in messages if message["visible_at"] <= self.picture.clock]
        return [task for task in visible if task and task.step.run.flow_slug == flow_slug]

    def claim(
        self, flow_slugs: Sequence[str], qty: int = PLENTY, *, lease: float = LONG, worker: UUID | None = None
    ) -> list[engines.Task]:
        """Claim so many tasks of one flow, or all that are visible in several."""

        def expect() -> list[Row]:
            started = []
            for slug in dict.fromkeys(flow_slugs):
                started += self._read_and_start(self.due(slug)[:qty], lease, worker)
            if started and worker is not None:
                self.model.wake_up(worker, flow_slugs)
            return self._given(started)

        arguments = {"p_flow_slugs": list(flow_slugs), "p_qty": qty, "p_lease": lease, "p_worker_id": worker}
        return self._remember(self.act(lambda: self._claimed("claim_tasks", **arguments), expect))

    def poll(self, flow_slug: str, qty: int, *, lease: int = int(LONG)) -> list[engines.Task]:
        """Claim as the seeds' workers do."""
        arguments = {"queue_name": flow_slug, "vt": lease, "qty": qty, "max_poll_seconds": 0}
        return self._remember(
            self.act(
                lambda: self._claimed("poll_for_tasks", **arguments),
                lambda: self._given(self._read_and_start(self.due(flow_slug)[:qty], lease, None)),
            )
        )

    def claim_run(self, run_id: UUID, *, lease: float = LONG) -> list[engines.Task]:
        """Claim what is queued of one run, whatever delay it has to wait for."""

        def expect() -> list[Row]:
            run = self.model.runs.get(run_id)
            queued = [task for task in run.tasks if task.status == "queued"] if run else []
            return self._given(self._read_and_start(queued, lease, None))

        return self._remember(
            self.act(lambda: self._claimed("claim_run_tasks", p_run_id=run_id, p_lease=lease), expect)
        )

    def read(self, flow_slug: str, qty: int, *, lease: int = int(LONG)) -> None:
        """Read the queue by pgmq's own function; the tasks are not started yet."""

        def expect() -> list[int]:
            due = self._by_message(self.due(flow_slug))[:qty]
            self.model.read(due, lease)
            return [self._message_id(task) for task in due]

        def read() -> list[int]:
            rows = self.engine.rows("select msg_id from pgmq.read(%s, %s, %s)", flow_slug, lease, qty)
            return sorted(row["msg_id"] for row in rows)

        self.reads.append((flow_slug, self.act(read, expect)))

    def start_read(self, flow_slug: str, message_ids: list[int], *, worker: UUID) -> list[engines.Task]:
        """Start the tasks of messages that were read at some time."""

        def expect() -> list[Row]:
            mine = [
                task
                for task in self._by_message(self.waiting())
                if task.step.run.flow_slug == flow_slug and self._message_id(task) in message_ids
            ]
            return self._given(self.model.start_tasks(mine, worker))

        arguments = {"flow_slug": flow_slug, "msg_ids": message_ids, "worker_id": worker}
        return self._remember(self.act(lambda: self._claimed("start_tasks", **arguments), expect))

    # Reports

    def complete(self, report: Completion) -> None:
        def expect() -> list[Row]:
            self.model.complete_tasks([report])
            return self._task_of(report)

        self.act(lambda: self._report("complete_task", report, output=Jsonb(report.output)), expect)

    def complete_many(self, reports: Sequence[Completion]) -> None:
        self.act(
            lambda: self._lost("complete_tasks", reports, p_outputs=[Jsonb(report.output) for report in reports]),
            lambda: _as_keys(self.model.complete_tasks(reports)),
        )

    def fail(self, report: Failure) -> None:
        def expect() -> list[Row]:
            self.model.fail_tasks([report])
            return self._task_of(report)

        options = {"permanent": report.permanent, "retry_delay": report.retry_delay}
        self.act(lambda: self._report("fail_task", report, error_message=report.error, **options), expect)

    def fail_many(self, reports: Sequence[Failure]) -> None:
        self.act(
            lambda: self._lost(
                "fail_tasks",
                reports,
                p_error_messages=[report.error for report in reports],
                p_permanent=[report.permanent for report in reports],
                p_retry_delays=[report.retry_delay for report in reports],
                p_tracebacks=[None for _ in reports],
            ),
            lambda: _as_keys(self.model.fail_tasks(reports)),
        )

    def extend(self, claims: Sequence[Report], lease: float) -> None:
        self.act(
            lambda: self._lost("extend_leases", claims, p_lease=lease),
            lambda: _as_keys(self.model.extend_leases(claims, lease)),
        )

    def release(self, claims: Sequence[Report]) -> None:
        self.act(lambda: self._lost("release_tasks", claims), lambda: _as_keys(self.model.release_tasks(claims)))

    # Workers and operators

    def sleep(self, worker: UUID, flow_slugs: list[str]) -> None:
        """A worker goes to sleep."""
        self.act(
            lambda: self._do("sleep_on_queues", p_worker_id=worker, p_flow_slugs=flow_slugs, p_seconds=LONG),
            lambda: self.model.sleep_on_queues(worker, flow_slugs),
        )

    def stop(self, worker: UUID) -> None:
        """A worker stops."""
        self.act(
            lambda: self._do("stop_worker", p_worker_id=worker),
            lambda: self.model.wake_up(worker, list(self.model.flows)),
        )

    def push(self, run_id: UUID) -> None:
        """Ask for what the engine does by itself: nothing is left to do."""
        self.act(lambda: self._do("start_ready_steps", run_id=run_id), lambda: None)
        self.act(lambda: self._do("maybe_complete_run", run_id=run_id), lambda: None)

    # Calls, and what they answer

    def _call(self, function: str, **arguments: Any) -> list[Row]:
        return self.engine.call(function, **arguments)

    def _do(self, function: str, **arguments: Any) -> None:
        self._call(function, **arguments)

    def _report(self, function: str, report: Report, **arguments: Any) -> list[Row]:
        """Report on one task, whose row as it then is answers the call."""
        key = {"run_id": report.run_id, "step_slug": report.step_slug, "task_index": report.task_index}
        rows = self._call(function, **key, token=report.token, **arguments)
        return [_pick(row, "status", "token", "attempts_count") for row in rows]

    def _task_of(self, report: Report) -> list[Row]:
        task = self.model.find(report.run_id, report.step_slug, report.task_index)
        return [{"status": task.status, "token": task.token, "attempts_count": task.attempts}] if task else []

    def _lost(self, function: str, reports: Sequence[Report], **arguments: Any) -> list[Row]:
        return self._call(
            function,
            p_run_ids=[report.run_id for report in reports],
            p_step_slugs=[report.step_slug for report in reports],
            p_task_indexes=[report.task_index for report in reports],
            p_tokens=[report.token for report in reports],
            **arguments,
        )

    def _snapshot(self, function: str, **arguments: Any) -> Snapshot | None:
        names = ", ".join(f"{name} => %s" for name in arguments)
        query = f"select to_jsonb(s.run) as run, to_jsonb(s.steps) as steps from pgflow.{function}({names}) as s"
        for row in self.engine.rows(query, *arguments.values()):
            return row["run"]["status"], {step["step_slug"]: step["status"] for step in row["steps"]}
        return None

    def _claimed(self, function: str, **arguments: Any) -> list[Row]:
        rows = [{**row, "input": canonical(row["input"])} for row in self._call(function, **arguments)]
        return sorted(rows, key=lambda row: row["msg_id"])

    def _given(self, tasks: Sequence[Task]) -> list[Row]:
        """What whoever claimed these tasks is given."""
        return [
            {
                "flow_slug": task.step.run.flow_slug,
                "run_id": task.step.run.run_id,
                "step_slug": task.step.slug,
                "input": canonical(task.input),
                "msg_id": self._message_id(task),
                "task_index": task.index,
                "token": task.token,
                "attempts_count": task.attempts,
            }
            for task in self._by_message(tasks)
        ]

    def _remember(self, answer: Any) -> list[engines.Task]:
        claims = [engines.Task(**{**row, "input": json.loads(row["input"])}) for row in answer]
        self.claims += claims
        return claims

    def _read_and_start(self, tasks: Sequence[Task], lease: float, worker: UUID | None) -> list[Task]:
        self.model.read(tasks, lease)
        return self.model.start_tasks(self._by_message(tasks), worker)

    def _by_message(self, tasks: Sequence[Task]) -> list[Task]:
        return sorted(tasks, key=self._message_id)

    def _message_id(self, task: Task) -> int:
        message_id: int = self.picture.messages[task_key(task)]["msg_id"]
        return message_id


def _definition(flow: FlowDefinition) -> dict[str, Any]:
    """A flow as ensure_flow takes it."""
    return {
        "flow_slug": flow.slug,
        "max_attempts": flow.max_attempts,
        "base_delay": flow.base_delay,
        "timeout": flow.timeout,
        "steps": [
            {"step_slug": step.slug, "step_type": _step_type(step), "deps": list(step.deps), **_options(step)}
            for step in flow.steps
        ],
    }


def _step_type(step: StepDefinition) -> str:
    return "fanout" if step.is_fanout else "single"


def _options(step: StepDefinition) -> dict[str, int | None]:
    return {
        "max_attempts": step.max_attempts,
        "base_delay": step.base_delay,
        "timeout": step.timeout,
        "start_delay": step.start_delay,
    }


def _snapshot_of(run: Run | None) -> Snapshot | None:
    return None if run is None else (run.status, {slug: step.status for slug, step in run.steps.items()})


def _pick(row: Row, *columns: str) -> Row:
    return {column: row[column] for column in columns}


def _as_keys(reports: Sequence[Report]) -> list[Row]:
    return [
        {
            "run_id": report.run_id,
            "step_slug": report.step_slug,
            "task_index": report.task_index,
            "token": report.token,
        }
        for report in reports
    ]

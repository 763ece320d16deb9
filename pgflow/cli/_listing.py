"""Lists of runs, steps, tasks and workers as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pgflow.cli._table import FittingTable
from pgflow.graph.console import open_console
from pgflow.graph.palette import look_of
from pgflow.graph.wording import one_line, spoken
from pgflow.inspection.rows import FlowRow, RunningStep, RunSummary, TaskDetail, WorkerRow

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["local_time", "print_flows", "print_runs", "print_workers", "status_text", "task_table", "worker_table"]

_WORKER_STYLES = {"running": "green", "dead": "bold red", "stopped": "dim"}


def local_time(moment: datetime) -> str:
    """A time on the reader's clock, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def status_text(status: str) -> Text:
    """A state with its mark, in its colour."""
    from rich.text import Text

    look = look_of(status)
    return Text(f"{look.mark} {status}", look.style)


def print_runs(runs: Sequence[RunSummary]) -> None:
    """Print runs, a line each."""
    columns = ("RUN", "FLOW", "STATUS", "STEPS", "STARTED", "TOOK", "ERROR")
    dispensable = ("STARTED", "ERROR", "TOOK", "STEPS", "FLOW", "STATUS")
    table = FittingTable(columns, right=("STEPS", "TOOK"), yielding=("ERROR",), dispensable=dispensable)
    for run in runs:
        table.add_row(
            str(run.run_id),
            run.flow_slug,
            status_text(run.status),
            f"{run.steps - run.remaining_steps}/{run.steps}",
            local_time(run.started_at),
            spoken(run.seconds),
            one_line(run.error_message),
        )
    open_console().print(table if runs else "no runs")


def print_flows(flows: Sequence[FlowRow]) -> None:
    """Print flows, a line each."""
    numbers = ("STEPS", "ATTEMPTS", "BASE DELAY", "TIMEOUT")
    dispensable = ("BASE DELAY", "TIMEOUT", "DEFINED", "ATTEMPTS")
    table = FittingTable(("FLOW", *numbers, "DEFINED"), right=numbers, dispensable=dispensable)
    for flow in flows:
        table.add_row(
            flow.flow_slug,
            str(flow.steps),
            str(flow.max_attempts),
            f"{flow.base_delay} s",
            f"{flow.timeout} s",
            local_time(flow.created_at),
        )
    open_console().print(table if flows else "no flows: a worker defines those that it serves")


def task_table(tasks: Sequence[TaskDetail]) -> FittingTable:
    """Return tasks as a table."""
    from rich.text import Text

    columns = ("STEP", "TASK", "STATUS", "ATTEMPTS", "TOOK", "WORKER", "ERROR")
    dispensable = ("WORKER", "TOOK", "ATTEMPTS", "ERROR")
    table = FittingTable(columns, right=("TASK", "ATTEMPTS", "TOOK"), yielding=("ERROR",), dispensable=dispensable)
    for task in tasks:
        table.add_row(
            task.step_slug,
            str(task.task_index),
            Text("· queued", "dim") if task.status == "queued" else status_text(task.status),
            f"{task.attempts}/{task.max_attempts}",
            "" if task.seconds is None else spoken(task.seconds),
            "" if task.worker_id is None else str(task.worker_id)[:8],
            one_line(task.error_message),
        )
    return table


def print_workers(workers: Sequence[WorkerRow], steps: Sequence[RunningStep]) -> None:
    """Print workers, a line each."""
    open_console().print(
        worker_table(workers, steps) if workers else "no workers; --all lists those that stopped within a week"
    )


def worker_table(workers: Sequence[WorkerRow], steps: Sequence[RunningStep]) -> FittingTable:
    """Return workers, and what they are busy with, as a table."""
    from rich.text import Text

    columns = ("WORKER", "WHERE", "STATUS", "UP", "HEARD OF", "TASKS", "FLOWS", "BUSY WITH")
    dispensable = ("UP", "HEARD OF", "FLOWS", "WHERE", "TASKS")
    table = FittingTable(columns, right=("UP", "TASKS"), yielding=("FLOWS", "BUSY WITH"), dispensable=dispensable)
    for worker in workers:
        busy = [
            f"{step.flow_slug}/{step.step_slug} {'' if step.tasks == 1 else f'x{step.tasks} '}{spoken(step.seconds)}"
            for step in steps
            if step.worker_id == worker.worker_id
        ]
        table.add_row(
            str(worker.worker_id)[:8],
            Text(one_line(worker.function_name, 50)),
            Text(worker.status, _WORKER_STYLES.get(worker.status, "")),
            spoken(worker.seconds),
            f"{spoken(worker.silent_seconds)} ago",
            str(worker.running_tasks),
            ", ".join(worker.flow_slugs),
            ", ".join(busy),
        )
    return table

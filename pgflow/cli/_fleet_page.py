"""What ``pgflow top`` shows."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from pgflow.cli._fleet import Reading
from pgflow.cli._listing import worker_table
from pgflow.cli._table import FittingTable
from pgflow.graph.wording import counted, spoken

__all__ = ["page"]

_NUMBERS = ("READY", "WAITING", "OLDEST", "TASKS/S", "STARTED", "COMPLETED", "FAILED")


def page(now: Reading, before: Reading | None) -> RenderableType:
    """Return a reading as a page; rates are those since the one before."""
    running = sum(worker.status == "running" for worker in now.workers)
    tasks = sum(worker.running_tasks for worker in now.workers)
    head = Text.assemble(
        ("pgflow top", "bold"),
        f"  {datetime.now().astimezone():%H:%M:%S}  {counted(running, 'worker')} with {counted(tasks, 'task')}",
    )
    rates = {} if before is None else now.rates_since(before)
    minute = {rate.flow_slug: rate for rate in now.runs}
    dispensable = ("STARTED", "COMPLETED", "OLDEST", "TASKS/S")
    table = FittingTable(("FLOW", *_NUMBERS), right=_NUMBERS, dispensable=dispensable)
    for queue in now.queues:
        runs = minute.get(queue.flow_slug)
        failed = runs.failed if runs else 0
        table.add_row(
            queue.flow_slug,
            Text(f"{queue.ready:,}", "yellow" if queue.ready else "dim"),
            f"{queue.waiting:,}",
            "" if queue.oldest_seconds is None else spoken(queue.oldest_seconds),
            f"{rates[queue.flow_slug]:,.1f}" if queue.flow_slug in rates else "",
            f"{runs.started if runs else 0:,}",
            f"{runs.completed if runs else 0:,}",
            Text(f"{failed:,}", "bold red" if failed else "dim"),
        )
    workers: RenderableType = worker_table(now.workers, now.running_steps) if now.workers else Text("no workers", "red")
    return Group(head, Text(), table, Text(), workers)

"""A run on a page of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgflow.cli._listing import local_time, status_text, task_table
from pgflow.graph.console import open_console
from pgflow.graph.terminal import picture
from pgflow.graph.wording import counted, one_line, printable, spoken
from pgflow.inspection.rows import RunDetail, StepDetail, TaskDetail, graph_of

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_run"]

_LONGEST = 300


def print_run(run: RunDetail, steps: Sequence[StepDetail], tasks: Sequence[TaskDetail], *, full: bool) -> None:
    """Print a run, its steps and some of their tasks; ``full`` shows values and tracebacks as a whole."""
    from rich.text import Text

    console = open_console()
    head = Text.assemble(
        f"run {run.run_id} of ", (run.flow_slug, "bold"), "  ", status_text(run.status), f" after {spoken(run.seconds)}"
    )
    console.print(head, soft_wrap=True)
    times = f"started {local_time(run.started_at)}"
    if run.ended_at is not None:
        times += f", ended {local_time(run.ended_at)}"
    if run.idempotency_key is not None:
        times += f", idempotency key {one_line(run.idempotency_key)}"
    console.print(Text(times, "dim"), soft_wrap=True)
    if run.error_message is not None:
        console.print(Text(one_line(run.error_message, 2_000), "bold red"), soft_wrap=True)
    _value(console, "input", run.input, full=full)
    _value(console, "output", run.output, full=full)
    console.print()
    console.print(picture(graph_of(run.flow_slug, list(steps))))
    for step in steps:
        if step.output is not None and step.output != "null":
            _value(console, f"output of {step.slug}", step.output, full=full)
    if tasks:
        console.print()
        console.print(task_table(tasks))
        _say_what_is_left_out(console, steps, tasks)
    for task in tasks if full else []:
        if task.traceback:
            console.print()
            console.print(Text(f"traceback of {task.step_slug}, task {task.task_index}", "bold"))
            for line in task.traceback.splitlines():
                console.print(Text(printable(line)), soft_wrap=True)


def _value(console: Console, name: str, text: str | None, *, full: bool) -> None:
    from rich.text import Text

    if text is not None:
        shown = printable(text) if full else one_line(text, _LONGEST)
        console.print(Text.assemble((f"{name}: ", "bold"), shown), soft_wrap=True)


def _say_what_is_left_out(console: Console, steps: Sequence[StepDetail], tasks: Sequence[TaskDetail]) -> None:
    left_out = sum(step.tasks or 0 for step in steps if step.started_at is not None) - len(tasks)
    if left_out > 0:
        console.print(f"and {counted(left_out, 'other task')}: --tasks shows more", style="dim")

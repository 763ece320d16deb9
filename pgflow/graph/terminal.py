"""A graph in a terminal: a line a step, with its lanes, its state, and a bar for a fan-out."""

from __future__ import annotations

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pgflow.graph.lanes import NODE, lanes
from pgflow.graph.model import FlowGraph, GraphStep
from pgflow.graph.palette import look_of
from pgflow.models import StepStatus

__all__ = ["picture"]

_BAR = 24


def picture(graph: FlowGraph, *, first: int = 0, last: int | None = None) -> Table:
    """Return the steps of a graph as lines, or of a large one those from ``first`` to before ``last``."""
    rows = list(zip(lanes(graph), graph.steps, strict=True))[first:last]
    table = Table.grid(padding=(0, 2, 0, 0))
    # Where there is no room, bars become shorter, then notes are cut; what leads from step to step stays.
    table.add_column("lanes", no_wrap=True, min_width=max((len(lane) for lane, _ in rows), default=0))
    table.add_column("step", no_wrap=True, min_width=max((len(step.slug) for _, step in rows), default=0))
    bars = {step.slug: _bar(step) for _, step in rows}
    if any(bars.values()):
        table.add_column("bar", max_width=_BAR)
    table.add_column("note", overflow="ellipsis", no_wrap=True)
    for lane, step in rows:
        look = look_of(step.status)
        drawn = Text(lane, "dim")
        node = lane.index(NODE)
        drawn.stylize(f"not dim {look.style}" if look.style != "dim" else "dim", node, node + 1)
        if look.mark:
            drawn = drawn[:node] + Text(look.mark, drawn[node].spans[-1].style) + drawn[node + 1 :]
        bar = [bars[step.slug] or ""] if any(bars.values()) else []
        table.add_row(drawn, Text(step.slug, look.style), *bar, Text(_note(step), "dim"))
    return table


def _note(step: GraphStep) -> str:
    if step.status is not None:
        return step.note
    words = ["fan-out"] if step.is_fanout else []
    if step.deps:
        words.append(f"after {', '.join(step.deps)}")
    return ", ".join(words)


def _bar(step: GraphStep) -> ProgressBar | None:
    if not step.is_fanout or step.done is None or not step.tasks:
        return None
    is_over = step.status in (StepStatus.FAILED, StepStatus.CANCELLED)
    return ProgressBar(
        total=step.tasks,
        completed=step.done,
        complete_style="red" if is_over else "cyan",
        finished_style="green",
    )

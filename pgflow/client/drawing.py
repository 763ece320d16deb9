"""A run as a graph: the shape of its flow, with the states of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from pgflow.graph import FlowGraph, GraphStep
from pgflow.graph.model import Shape
from pgflow.models import StepRow, StepStatus

__all__ = ["drawn"]


def drawn(flow_slug: str, shapes: Iterable[Shape], rows: Mapping[str, StepRow]) -> FlowGraph:
    """Return the graph of a run; steps that it has not, of a flow that has changed since, are left out."""
    return FlowGraph(
        flow_slug,
        tuple(_step(shape, rows[shape.slug], rows) for shape in shapes if shape.slug in rows),
    )


def _step(shape: Shape, row: StepRow, rows: Mapping[str, StepRow]) -> GraphStep:
    is_known = row.initial_tasks is not None and row.remaining_tasks is not None
    return GraphStep(
        shape.slug,
        tuple(dep for dep in shape.deps if dep in rows),
        shape.is_fanout,
        row.status,
        tasks=row.initial_tasks,
        done=(row.initial_tasks or 0) - (row.remaining_tasks or 0) if is_known else None,
        seconds=_seconds(row),
    )


def _seconds(row: StepRow) -> float | None:
    ended = row.completed_at or row.failed_at
    if row.status is StepStatus.STARTED:
        ended = datetime.now(UTC)
    return None if row.started_at is None or ended is None else (ended - row.started_at).total_seconds()

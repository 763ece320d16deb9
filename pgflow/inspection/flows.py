"""The flows that the database knows."""

from __future__ import annotations

from pgflow.engine.statements import FLOW_SHAPE
from pgflow.errors import UnknownFlowError
from pgflow.inspection import statements
from pgflow.inspection.rows import FlowRow, StepShape
from pgflow.inspection.selecting import Connection, select

__all__ = ["flow_shape", "flows"]


def flows(connection: Connection) -> list[FlowRow]:
    """Return every flow, by slug."""
    return select(connection, FlowRow, statements.FLOWS)


def flow_shape(connection: Connection, flow_slug: str) -> list[StepShape]:
    """Return the steps of a flow in the order of their definition.

    :raises UnknownFlowError: there is no such flow, or it has no steps.
    """
    shape = select(connection, StepShape, FLOW_SHAPE, flow_slug=flow_slug)
    if not shape:
        known = ", ".join(flow.flow_slug for flow in flows(connection)) or "none at all"
        raise UnknownFlowError(f"the database has no steps of a flow {flow_slug!r}; it has {known}")
    return shape

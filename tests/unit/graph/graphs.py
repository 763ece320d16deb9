"""Graphs to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgflow.graph import FlowGraph, GraphStep

DIAMOND = {"fetch": [], "parse": ["fetch"], "count": ["fetch"], "store": ["parse", "count"]}


def graph(steps: Mapping[str, Sequence[str]], **states: Mapping[str, Any]) -> FlowGraph:
    """A graph of steps and their dependencies; `states` has what else is known of some, by slug."""
    return FlowGraph(
        "flow",
        tuple(
            GraphStep(slug, tuple(deps), **{"is_fanout": False, **states.get(slug, {})}) for slug, deps in steps.items()
        ),
    )

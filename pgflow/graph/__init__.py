"""Pictures of flows and runs: their steps as a graph, for terminals, pages and documents. Pure Python."""

from pgflow.graph.model import FlowGraph, GraphStep

__all__ = ["FlowGraph", "GraphStep"]

"""Graphs as text that other programs draw."""

from __future__ import annotations

import click

from pgflow.graph import FlowGraph

__all__ = ["echo_picture"]


def echo_picture(graph: FlowGraph, *, is_svg: bool) -> None:
    """Print a graph as an SVG picture, or in the language of Mermaid."""
    from pgflow.graph.mermaid import mermaid
    from pgflow.graph.svg import svg

    click.echo(svg(graph) if is_svg else mermaid(graph), nl=is_svg)

"""What flows and runs have in common: they can be looked at. What draws them is imported when they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pgflow.graph.model import FlowGraph

__all__ = ["Drawn"]


class Drawn:
    """Something with a graph; notebooks and rich show it as that."""

    def graph(self) -> FlowGraph:
        """Return its steps, with what they depend on."""
        raise NotImplementedError

    def to_mermaid(self) -> str:
        """Return the graph in the language of Mermaid; what `graph` raises passes through."""
        from pgflow.graph.mermaid import mermaid

        return mermaid(self.graph())

    def to_svg(self) -> str:
        """Return the graph as an SVG picture, complete in itself; what `graph` raises passes through."""
        from pgflow.graph.svg import svg

        return svg(self.graph())

    def _shown(self) -> FlowGraph | None:
        """Return what is shown without being asked for, so that nothing may be raised; None where there is no graph."""
        return self.graph()

    def _repr_html_(self) -> str:
        from html import escape

        from pgflow.graph.svg import svg

        graph = self._shown()
        caption = f"<code>{escape(repr(self))}</code>"
        return caption if graph is None else f"<div>{caption}<br>{svg(graph)}</div>"

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from pgflow.graph.terminal import picture

        graph = self._shown()
        caption = Text(repr(self))
        return caption if graph is None else Group(caption, picture(graph))

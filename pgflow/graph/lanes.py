"""A graph beside a list of its steps, drawn with characters: one line a step, and lanes that lead to its dependents."""

from __future__ import annotations

from attrs import define, field

from pgflow.graph.model import FlowGraph

__all__ = ["NODE", "lanes"]

NODE = "●"
"""Where a step stands in its line."""

_LEFT, _RIGHT, _UP, _DOWN, _PAST = 1, 2, 4, 8, 16
_CHARACTERS = {
    0: " ",
    _LEFT | _RIGHT: "─",
    _UP | _DOWN: "│",
    _UP | _RIGHT: "╰",
    _UP | _LEFT: "╯",
    _UP | _DOWN | _RIGHT: "├",
    _UP | _DOWN | _LEFT: "┤",
    _UP | _LEFT | _RIGHT: "┴",
    _UP | _DOWN | _LEFT | _RIGHT: "┼",
}


def lanes(graph: FlowGraph) -> list[str]:
    """Return what stands to the left of each step: its node, and the lanes of steps whose dependents are yet to come.

    ::

        ●     fetch
        ├─●   parse
        ● │   count
        ●─╯   store
    """
    drawing = _Drawing(graph)
    rows = [drawing.row_of(step.slug, step.deps) for step in graph.steps]
    width = max(map(len, rows), default=0)
    return [row.ljust(width) for row in rows]


@define
class _Drawing:
    graph: FlowGraph
    #: The step whose dependents each column leads to, None for a column that is free.
    owners: list[str | None] = field(factory=list)
    #: The column of the step before, which reads as a dependency of a step right below it.
    last: int = -1
    #: How many dependents of each step are yet to come.
    pending: dict[str, int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for step in self.graph.steps:
            self.pending[step.slug] = sum(step.slug in other.deps for other in self.graph.steps)

    def row_of(self, slug: str, deps: tuple[str, ...]) -> str:
        """Return the line of the next step, and lead its lane on."""
        joined = [column for column, owner in enumerate(self.owners) if owner in deps]
        for dep in deps:
            self.pending[dep] -= 1
        ended = [column for column in joined if self.pending[self.owners[column] or ""] == 0]
        node = ended[0] if ended else self._free_column()
        cells = [_UP | _DOWN if owner is not None else 0 for owner in self.owners]
        for column in joined:
            if column != node:
                self._connect(cells, column, node, goes_on=column not in ended)
        text = "".join(self._cell(cells, column, node) for column in range(len(cells)))
        for column in ended:
            self.owners[column] = None
        self.owners[node] = slug if self.pending[slug] else None
        self.last = node
        while self.owners and self.owners[-1] is None:
            self.owners.pop()
        return text.rstrip()

    def _free_column(self) -> int:
        for column, owner in enumerate(self.owners):
            if owner is None and column != self.last:
                return column
        self.owners.append(None)
        if len(self.owners) - 1 == self.last:
            self.owners.append(None)
        return len(self.owners) - 1

    @staticmethod
    def _connect(cells: list[int], column: int, node: int, *, goes_on: bool) -> None:
        side = _RIGHT if column < node else _LEFT
        cells[column] |= side
        if not goes_on:
            cells[column] &= ~_DOWN
        for between in range(min(column, node) + 1, max(column, node)):
            # A lane that is only crossed stays whole; one that joins as well is connected by its own call.
            cells[between] |= _PAST if cells[between] else _LEFT | _RIGHT

    @staticmethod
    def _cell(cells: list[int], column: int, node: int) -> str:
        """A column's character, and the gap to the next one."""
        lines = cells[column] & ~_PAST
        if cells[column] & _PAST and lines & (_LEFT | _RIGHT):
            lines |= _LEFT | _RIGHT
        character = NODE if column == node else _CHARACTERS[lines]
        if column + 1 == len(cells):
            return character
        leaves = column == node and bool(cells[column + 1] & (_LEFT | _PAST))
        return character + ("─" if leaves or cells[column] & (_RIGHT | _PAST) else " ")

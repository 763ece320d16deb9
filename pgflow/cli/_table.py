"""Tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["FittingTable"]

#: Cells between two columns, and how many a column keeps that gives way to others.
_GAP, _LEAST = 2, 16


@define
class FittingTable:
    """A line a row. Columns give way, and where that is not enough are left out, so that the others can be read."""

    columns: tuple[str, ...]
    #: Those of numbers, aligned to the right.
    right: tuple[str, ...] = field(default=(), kw_only=True)
    #: Those whose texts are cut where there is no room for the whole.
    yielding: tuple[str, ...] = field(default=(), kw_only=True)
    #: Those that are left out, the first of them first.
    dispensable: tuple[str, ...] = field(default=(), kw_only=True)
    rows: list[dict[str, Text]] = field(factory=list, init=False)

    def add_row(self, *cells: str | Text) -> None:
        """Add a row, with a cell for each column."""
        texts = (cell if isinstance(cell, Text) else Text(cell) for cell in cells)
        self.rows.append(dict(zip(self.columns, texts, strict=True)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        widths = {column: self._width(column) for column in self.columns}
        for column in self.dispensable:
            if sum(widths.values()) + _GAP * (len(widths) - 1) <= options.max_width:
                break
            del widths[column]
        yield self._table(list(widths))

    def _width(self, column: str) -> int:
        needed = max(cell_len(column), *(row[column].cell_len for row in self.rows), 0)
        return min(needed, _LEAST) if column in self.yielding else needed

    def _table(self, columns: list[str]) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
        for column in columns:
            # Rich takes room from columns that may wrap before it touches others; their cells do not.
            table.add_column(
                column,
                justify="right" if column in self.right else "left",
                overflow="ellipsis",
                no_wrap=column not in self.yielding,
            )
        for row in self.rows:
            cells = [row[column] for column in columns]
            for cell in cells:
                cell.no_wrap, cell.overflow = True, "ellipsis"
            table.add_row(*cells)
        return table

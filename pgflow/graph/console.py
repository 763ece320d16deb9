"""The terminal, if there is one: rich, which is asked for only where something is shown to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgflow.errors import ExtraMissingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["RICH_IS_MISSING", "make_table", "open_console"]

RICH_IS_MISSING = "this is shown with rich, which is not installed: pip install 'pgflow-sdk[cli]'"

#: Wide enough for what a program or a file is given, which breaks no lines.
_UNBROKEN = 10_000


def open_console(*, stderr: bool = False) -> Console:
    """Return a console on standard output or standard error; without a terminal it writes plain text.

    :raises ExtraMissingError: rich is not installed.
    """
    try:
        from rich.console import Console
    except ImportError as error:
        raise ExtraMissingError(RICH_IS_MISSING) from error
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal and not console.is_jupyter:
        console.width = _UNBROKEN
    return console


def make_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return a table with these columns, those of numbers aligned to the right."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="ellipsis", no_wrap=True)
    return table

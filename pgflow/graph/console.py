"""The terminal, if there is one: rich, which is asked for only where something is shown to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgflow.errors import ExtraMissingError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["RICH_IS_MISSING", "open_console"]

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

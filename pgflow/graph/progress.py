"""How far a run is at one moment, and what shows it: a picture that moves, in a terminal or a notebook, or lines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self
from uuid import UUID

from attrs import frozen

from pgflow.graph.console import open_console
from pgflow.graph.model import FlowGraph
from pgflow.models import RunStatus

__all__ = ["Progress", "Trouble", "View", "open_view"]


@frozen
class Trouble:
    """A task that did not succeed at its first attempt."""

    step_slug: str
    task_index: int
    status: str
    #: Attempts that have begun, and how many there may be.
    attempts: int
    max_attempts: int
    error_message: str | None


@frozen
class Progress:
    """A run at one moment."""

    run_id: UUID
    status: RunStatus
    #: Since its start, or from its start to its end.
    seconds: float
    error_message: str | None
    graph: FlowGraph
    #: Some of them, where there are many.
    troubles: Sequence[Trouble] = ()


class View(AbstractContextManager["View", None], Protocol):
    """Something that shows progress while it is entered."""

    def show(self, progress: Progress) -> None:
        """Show this, in place of what was shown before."""

    def __enter__(self) -> Self: ...


def open_view(*, stderr: bool = False) -> View:
    """Return a view on standard output or standard error, or below the cell of a notebook.

    :raises ExtraMissingError: rich is not installed.
    """
    console = open_console(stderr=stderr)
    if console.is_jupyter:
        from pgflow.graph.notebook import NotebookView

        return NotebookView()
    if console.is_interactive:
        from pgflow.graph.moving import MovingView

        return MovingView(console)
    from pgflow.graph.lines import LineView

    return LineView(console)

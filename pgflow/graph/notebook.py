"""Progress in a notebook: the picture of the run below the cell, drawn anew in its place."""

from __future__ import annotations

from html import escape
from typing import Any, Self

from pgflow.graph.palette import look_of
from pgflow.graph.progress import Progress
from pgflow.graph.svg import svg
from pgflow.graph.wording import one_line, spoken

__all__ = ["NotebookView"]


class NotebookView:
    """Replaces its picture each time; the last one stays with the notebook."""

    def __init__(self) -> None:
        self._display: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing to put away."""

    def show(self, progress: Progress) -> None:
        """Draw this, in place of what was drawn before."""
        from IPython.display import HTML, display

        picture = HTML(_drawn(progress))
        if self._display is None:
            self._display = display(picture, display_id=True)
        else:
            self._display.update(picture)


def _drawn(progress: Progress) -> str:
    look = look_of(progress.status)
    words = f"{look.mark} {progress.status}, {spoken(progress.seconds)}"
    if progress.error_message is not None:
        words += f": {one_line(progress.error_message, 500)}"
    return f"<div><code>{escape(f'run {progress.run_id}')}</code> {escape(words)}<br>{svg(progress.graph)}</div>"

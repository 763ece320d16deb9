"""Progress on a terminal, drawn anew in its place."""

from __future__ import annotations

from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from pgflow.graph.palette import look_of
from pgflow.graph.progress import Progress, Trouble
from pgflow.graph.terminal import picture
from pgflow.graph.wording import counted, one_line, spoken
from pgflow.models import StepStatus

__all__ = ["MovingView"]

_MOST_TROUBLES = 5


class MovingView:
    """Draws a run while it is entered, and leaves the last picture standing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw this, in place of what was drawn before."""
        self._live.update(self._drawn(progress), refresh=True)

    def _drawn(self, progress: Progress) -> RenderableType:
        look = look_of(progress.status)
        head = Text.assemble(
            (progress.graph.flow_slug, "bold"),
            (f" {progress.run_id}  ", "dim"),
            (f"{look.mark} {progress.status}", look.style),
            f"  {spoken(progress.seconds)}",
        )
        troubles = [_line(trouble) for trouble in progress.troubles[-_MOST_TROUBLES:]]
        if len(progress.troubles) > len(troubles):
            # How many is not known here: whoever reads them reads no more than a few of each step.
            troubles.append(Text("  and other tasks with failed attempts", "dim"))
        if progress.error_message is not None:
            troubles.append(_cut(Text(one_line(progress.error_message, 500), "bold red")))
        return Group(_cut(head), *self._steps(progress, len(troubles)), *troubles)

    def _steps(self, progress: Progress, others: int) -> list[RenderableType]:
        """The steps; where they are more than the terminal is high, those around the first that is not done."""
        steps = progress.graph.steps
        # Two lines say what is left out, one is the head, and one is the cursor's.
        room = max(self._console.height - others - 4, 3)
        if len(steps) <= room + 2:
            return [picture(progress.graph)]
        open_ = (place for place, step in enumerate(steps) if step.status is not StepStatus.COMPLETED)
        first = min(max(next(open_, 0) - 2, 0), len(steps) - room)
        return [
            Text(f"  … {counted(first, 'step')} above", "dim"),
            picture(progress.graph, first=first, last=first + room),
            Text(f"  … {counted(len(steps) - first - room, 'step')} below", "dim"),
        ]


def _line(trouble: Trouble) -> Text:
    where = f"{trouble.step_slug}[{trouble.task_index}]"
    attempts = f"{trouble.attempts} of {trouble.max_attempts}"
    match trouble.status:
        case "queued":
            words, style = f"attempt {attempts} failed, trying again soon", "yellow"
        case "started":
            words, style = f"attempt {attempts} is under way", "yellow"
        case "completed":
            words, style = f"attempt {attempts} succeeded", "dim"
        case _:
            words, style = f"attempt {attempts} {trouble.status}", "red"
    error = one_line(trouble.error_message)
    return _cut(Text(f"  ↻ {where}: {words}{f': {error}' if error else ''}", style))


def _cut(text: Text) -> Text:
    """Keep a text on one line: what does not fit is cut, so that the picture's height is known."""
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text

"""Progress where there is no terminal: a line for each change."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.text import Text

from pgflow.graph.model import GraphStep
from pgflow.graph.palette import look_of
from pgflow.graph.progress import Progress, Trouble
from pgflow.graph.wording import one_line, spoken
from pgflow.models import StepStatus

__all__ = ["LineView"]


class LineView:
    """Prints what is new; of a fan-out, which may have any number of tasks, every quarter."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing to put away."""

    def show(self, progress: Progress) -> None:
        """Print what has changed."""
        self._say("run", f"run {progress.run_id} of {progress.graph.flow_slug}")
        for trouble in progress.troubles:
            self._tell(trouble)
        for step in progress.graph.steps:
            if step.status is not None and step.status is not StepStatus.CREATED:
                self._say(
                    f"{step.slug} {step.status} {_quarter(step)}", f"{_mark(step.status)} {step.slug}  {_note(step)}"
                )
        if progress.status.is_terminal:
            error = f": {one_line(progress.error_message, 500)}" if progress.error_message else ""
            words = f"{_mark(progress.status)} {progress.status} after {spoken(progress.seconds)}{error}"
            self._say("end", words)

    def _tell(self, trouble: Trouble) -> None:
        if trouble.status in ("queued", "failed"):
            self._say(
                f"{trouble.step_slug} {trouble.task_index} {trouble.attempts}",
                f"↻ {trouble.step_slug}[{trouble.task_index}]  attempt {trouble.attempts} of {trouble.max_attempts} "
                f"failed: {one_line(trouble.error_message)}",
            )

    def _say(self, key: str, line: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._console.print(Text(line.rstrip()), soft_wrap=True)


def _mark(status: str) -> str:
    return look_of(status).mark


def _note(step: GraphStep) -> str:
    # What has only begun has taken no time worth telling.
    return "" if step.status is StepStatus.STARTED and not step.is_fanout else step.note


def _quarter(step: GraphStep) -> int:
    if step.status is not StepStatus.STARTED or not step.is_fanout or not step.tasks:
        return 0
    return 4 * (step.done or 0) // step.tasks

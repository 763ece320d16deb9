"""Show how far a run is: a line per step, a bar for a fan-out, and every retry.

Events tell when steps begin and end; what happens inside a fan-out is in the tables, which anyone may query.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol
from uuid import UUID

import psycopg
from attrs import define, field, frozen
from psycopg.rows import class_row
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

__all__ = ["ProgressView", "Retry", "StepProgress", "open_view", "read_retries", "read_steps"]

_STEPS = """
select s.step_slug, s.step_type = 'fanout' as is_fanout, ss.status, ss.initial_tasks as tasks,
       ss.initial_tasks - ss.remaining_tasks as done,
       extract(epoch from coalesce(ss.completed_at, ss.failed_at, clock_timestamp()) - ss.started_at)::float8 as seconds
from pgflow.step_states ss
join pgflow.steps s using (flow_slug, step_slug)
where ss.run_id = %s
order by s.step_index
"""

_RETRIES = """
select step_slug, coalesce(item ->> 'url', step_slug) as subject, status, attempts_count as attempts,
       coalesce(output ->> 'error', error_message) as error_message, output ->> 'error' is not null as gave_up
from pgflow.step_tasks
where run_id = %s and attempts_count > case status when 'queued' then 0 else 1 end
order by step_slug, task_index
"""

_MARKS = {"created": "·", "started": ">", "completed": "✓", "failed": "✗", "cancelled": "-"}
_STYLES = {"completed": "green", "failed": "red", "started": "cyan"}


@frozen
class StepProgress:
    """One step of a run at one moment."""

    step_slug: str
    is_fanout: bool
    status: str
    #: How many tasks the step has; None until that is known.
    tasks: int | None
    #: How many of them are finished; None until the step starts.
    done: int | None
    #: How long the step has taken so far; None until it starts.
    seconds: float | None


@frozen
class Retry:
    """A task whose first attempt failed."""

    step_slug: str
    #: The address that the task is about.
    subject: str
    status: str
    #: Attempts that have begun.
    attempts: int
    error_message: str | None
    #: Whether the last attempt ended with the error as its result, so that the other pages are not lost.
    gave_up: bool = False

    def __str__(self) -> str:
        reason = " ".join((self.error_message or "").split())[:100]
        match self.status:
            case "queued":
                return f"{self.subject}: attempt {self.attempts} failed, trying again soon: {reason}"
            case "completed" if self.gave_up:
                return f"{self.subject}: attempt {self.attempts} gave up: {reason}"
            case "completed":
                return f"{self.subject}: attempt {self.attempts} succeeded"
            case _:
                return f"{self.subject}: attempt {self.attempts}"


def read_steps(connection: psycopg.Connection[Any], run_id: UUID) -> list[StepProgress]:
    """The steps of a run, in the order of their definition."""
    with connection.cursor(row_factory=class_row(StepProgress)) as cursor:
        return cursor.execute(_STEPS, [run_id]).fetchall()


def read_retries(connection: psycopg.Connection[Any], run_id: UUID) -> list[Retry]:
    """The tasks of a run that did not succeed at once, whatever became of them since."""
    with connection.cursor(row_factory=class_row(Retry)) as cursor:
        return cursor.execute(_RETRIES, [run_id]).fetchall()


class ProgressView(Protocol):
    """Something that shows progress while it is entered."""

    def show(self, steps: list[StepProgress], retries: list[Retry]) -> None:
        """Show this state, if it differs from what was shown last."""

    def __enter__(self) -> ProgressView: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def open_view(console: Console) -> ProgressView:
    """A picture that moves on a terminal; elsewhere a line for each change."""
    return _MovingView(console) if console.is_interactive else _PlainView(console)


class _MovingView:
    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=10)
        self._spinner = Spinner("dots", style="cyan")

    def show(self, steps: list[StepProgress], retries: list[Retry]) -> None:
        table = Table.grid(padding=(0, 1))
        for step in steps:
            style = _STYLES.get(step.status, "dim")
            mark = self._spinner if step.status == "started" else Text(_MARKS.get(step.status, "?"), style)
            bar = ProgressBar(total=step.tasks or 1, completed=step.done or 0, width=30) if step.is_fanout else ""
            table.add_row(mark, Text(step.step_slug, style), bar, Text(_describe(step)))
        picture = Table.grid()
        picture.add_row(table)
        for retry in retries:
            style = "dim" if retry.status == "completed" else "yellow"
            picture.add_row(Text(f"  ↻ {retry}", style))
        self._live.update(picture)

    def __enter__(self) -> _MovingView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()


@define
class _PlainView:
    _console: Console
    _shown: set[str] = field(factory=set)

    def show(self, steps: list[StepProgress], retries: list[Retry]) -> None:
        for retry in retries:
            if retry.status in ("queued", "completed"):
                self._say(str(retry), f"  retry {retry}")
        for step in steps:
            if step.status == "started" and step.is_fanout and step.tasks:
                # Four lines are enough for a fan-out of any size.
                quarter = 4 * (step.done or 0) // step.tasks
                self._say(f"{step.step_slug}: {quarter}", f"> {step.step_slug}: {_describe(step)}")
            elif step.status != "created":
                mark = _MARKS[step.status]
                self._say(f"{step.step_slug}: {step.status}", f"{mark} {step.step_slug}: {_describe(step)}")

    def _say(self, key: str, line: str) -> None:
        if key not in self._shown:
            self._shown.add(key)
            self._console.print(Text(line), soft_wrap=True)

    def __enter__(self) -> _PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to put away."""


def _describe(step: StepProgress) -> str:
    if step.status in ("created", "cancelled"):
        return "waiting" if step.status == "created" else "cancelled"
    count = f"{step.done or 0} of {step.tasks} tasks, " if step.is_fanout and step.tasks is not None else ""
    verb = "running for" if step.status == "started" else f"{step.status} after"
    return f"{count}{verb} {step.seconds or 0:.1f} s"

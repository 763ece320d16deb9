"""A run's events as Server-Sent Events, which a browser reads with ``EventSource``; no framework is needed for it.

The id of an event says which events of the run have been sent by then, and not how many: whatever process a browser
comes back to can tell what it is missing, although a replay may have another order than the events had live.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any
from uuid import UUID

import attrs
import psycopg

from pgflow.client import FlowRun, FlowStep
from pgflow.errors import PgflowError, RunNotCommittedError, UnknownRunError
from pgflow.events import Event, RunCompleted, RunFailed, RunStarted, StepCompleted, StepFailed, StepStarted
from pgflow.models import StepStatus

__all__ = ["event_stream"]

logger = logging.getLogger(__name__)

# Comments: the browser does not hand them on. The first makes it say that it is connected.
_HELLO = ": connected\n\n"
_KEEP_ALIVE = ": keep-alive\n\n"

_NAMES: dict[type[Any], str] = {
    RunStarted: "run:started",
    RunCompleted: "run:completed",
    RunFailed: "run:failed",
    StepStarted: "step:started",
    StepCompleted: "step:completed",
    StepFailed: "step:failed",
}

#: A run with large outputs takes a while to read: no more than one part in so many of the time goes into that.
_READING_SHARE = 10


def event_stream(
    run: FlowRun, *, last_event_id: str | None = None, heartbeat: float = 15.0, progress: float | None = 1.0
) -> Generator[str, None, None]:
    """Return the events of a run, from its start to its end, as the frames of a ``text/event-stream``.

    The names are ``run:started`` to ``step:failed``, ``step`` standing for all of them, and the data are the payloads
    of `pgflow.events` as JSON. While a step of several tasks is under way, ``step:progress`` brings its ``step_slug``,
    ``initial_tasks`` and ``remaining_tasks`` when they have changed, at most every ``progress`` seconds; None is never.
    The last frame is ``end``, at which the page closes its ``EventSource``: that would connect again otherwise. Where
    the run can be followed no longer it is ``error``, with a ``message``.

    ``heartbeat`` seconds of silence are broken by a comment. Writing it is how a server notices that the browser has
    gone; it closes the generator then, which leaves nothing behind.

    ``last_event_id`` is the header ``Last-Event-ID`` of a browser that comes back; what that has received is left out.

    :raises ValueError: ``heartbeat`` or ``progress`` is no time above 0.
    """
    if not heartbeat > 0 or not (progress is None or progress > 0):
        raise ValueError(f"heartbeat and progress are seconds above 0, and not {heartbeat} and {progress}")
    return _stream(run, last_event_id, heartbeat, progress)


def _stream(
    run: FlowRun, last_event_id: str | None, heartbeat: float, progress: float | None
) -> Generator[str, None, None]:
    yield _HELLO
    last = _frame("end", {})
    try:
        with closing(_frames(run.plain(), last_event_id, heartbeat, progress)) as frames:
            yield from frames
    except (PgflowError, psycopg.Error) as error:
        last = _frame("error", {"message": _reason(run, error)})
    yield last


def _frames(
    run: FlowRun, last_event_id: str | None, heartbeat: float, progress: float | None
) -> Generator[str, None, None]:
    sent = _Sent(run.steps, last_event_id)
    tasks = _TaskCounts(run, progress)
    beat = heartbeat if progress is None else min(heartbeat, progress)
    silent_since = time.monotonic()
    with closing(run.events(heartbeat=beat)) as events:
        for event in events:
            frames = [] if event is None else [*sent.frames_of(event)]
            frames += tasks.frames_after(event)
            if not frames and time.monotonic() >= silent_since + heartbeat:
                frames = [_KEEP_ALIVE]
            for frame in frames:
                yield frame
                silent_since = time.monotonic()


class _Sent:
    """The set of events that a browser has received: two bits for the run and for each of its steps, start and end."""

    def __init__(self, steps: Iterable[str], last_event_id: str | None) -> None:
        self._subjects = {slug: number for number, slug in enumerate(["run", *sorted(steps)])}
        self._events = 0
        if last_event_id is not None and re.fullmatch("[0-9a-f]+", last_event_id):
            received = int(last_event_id, 16)
            # More bits than there can be are of another run, and nothing is known of this one.
            self._events = received if received.bit_length() <= 2 * len(self._subjects) else 0

    def frames_of(self, event: Event) -> Iterator[str]:
        """The frame of an event, unless it has been sent."""
        subject = "run" if isinstance(event, RunStarted | RunCompleted | RunFailed) else event.step_slug
        is_end = not isinstance(event, RunStarted | StepStarted)
        bit = 1 << (2 * self._subjects[subject] + is_end)
        if not self._events & bit:
            self._events |= bit
            yield f"id: {self._events:x}\n" + _frame(_NAMES[type(event)], attrs.asdict(event, recurse=False))


class _TaskCounts:
    """How far the steps of several tasks have come, read from the tables while such a step is under way."""

    def __init__(self, run: FlowRun, pause: float | None) -> None:
        self._run = run
        self._pause = pause
        self._due = 0.0
        # Steps whose start the browser knows of and whose end it does not.
        self._open: set[str] = set()
        self._last: dict[str, tuple[int, int]] = {}

    def frames_after(self, event: Event | None) -> Iterator[str]:
        """A frame for each step whose counts have changed, if it is time to look."""
        if isinstance(event, StepStarted):
            self._open.add(event.step_slug)
        elif isinstance(event, StepCompleted | StepFailed):
            self._open.discard(event.step_slug)
        if self._pause is None or time.monotonic() < self._due or not self._steps():
            return
        began = time.monotonic()
        try:
            self._run.refresh(max_age=self._pause)
        except psycopg.Error:
            logger.debug("the tasks of run %s could not be counted", self._run.run_id, exc_info=True)
        now = time.monotonic()
        self._due = now + max(self._pause, _READING_SHARE * (now - began))
        for step in self._steps():
            initial, remaining = step.initial_tasks, step.remaining_tasks
            if initial is None or remaining is None or self._last.get(step.slug) == (initial, remaining):
                continue
            self._last[step.slug] = initial, remaining
            yield _frame(
                "step:progress", {"step_slug": step.slug, "initial_tasks": initial, "remaining_tasks": remaining}
            )

    def _steps(self) -> list[FlowStep[Any]]:
        """The steps of several tasks, or of a number that is not known yet, that are under way."""
        if not self._open:
            return []
        steps = [step for slug, step in self._run.steps.items() if slug in self._open]
        return [step for step in steps if step.status is StepStatus.STARTED and step.initial_tasks != 1]


def _frame(name: str, data: Mapping[str, Any]) -> str:
    # JSON has no line breaks but escaped ones, so that the data are one line.
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, default=_text)}\n\n"


def _text(value: UUID | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _reason(run: FlowRun, error: Exception) -> str:
    if isinstance(error, UnknownRunError | RunNotCommittedError):
        return str(error)
    # What a server says of its connections is for its operator, and not for whoever sits at the browser.
    logger.warning("run %s is no longer followed for a browser: %s", run.run_id, error)
    return f"run {run.run_id} cannot be followed at the moment; the run itself goes on"

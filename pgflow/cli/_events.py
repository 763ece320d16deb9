"""What the command line prints of an event."""

from __future__ import annotations

from datetime import datetime

import attrs

from pgflow.cli._json import as_json
from pgflow.events import Event, RunCompleted, RunFailed, RunStarted, StepCompleted, StepFailed, StepStarted
from pgflow.graph.wording import one_line

__all__ = ["event_document", "event_line"]

_VERBS: dict[type[object], str] = {
    RunStarted: "started",
    RunCompleted: "completed",
    RunFailed: "failed",
    StepStarted: "started",
    StepCompleted: "completed",
    StepFailed: "failed",
}


def _name(event: Event) -> str:
    """Its name in the database: ``run:started``, ``<step>:completed`` and so on."""
    return f"{_subject(event)}:{_VERBS[type(event)]}"


def event_document(event: Event) -> str:
    """``{"event": name, "payload": {…}}`` as one line of JSON, as the database notifies it."""
    payload = attrs.asdict(event, recurse=False)
    return as_json({"event": _name(event), "payload": payload})


def event_line(event: Event, started_at: datetime) -> str:
    """A line for people: the seconds since the run's start, what has happened, and the error if there is one."""
    at = next(getattr(event, name) for name in ("started_at", "completed_at", "failed_at") if hasattr(event, name))
    error = one_line(getattr(event, "error_message", None))
    words = f"{_subject(event)} {_VERBS[type(event)]}"
    return f"{(at - started_at).total_seconds():8.3f} s  {words}{f': {error}' if error else ''}"


def _subject(event: Event) -> str:
    return "run" if isinstance(event, RunStarted | RunCompleted | RunFailed) else event.step_slug

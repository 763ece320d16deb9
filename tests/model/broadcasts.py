"""What was heard on the channels, against the events of the specification and the order that the design promises."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from attrs import frozen

from tests.model.pictures import TIMES, Picture, Row, canonical
from tests.model.records import Run
from tests.model.specification import Event

NOTIFY_LIMIT = 8000
"""Bytes that a notification must stay below."""

_RUN_CHANNEL = "pgflow:run:"
_QUEUE_CHANNEL = "pgflow:queue:"


@frozen
class Heard:
    """The notifications of one transaction: events of runs, in order, and the queues that were woken."""

    events: tuple[tuple[UUID, dict[str, Any]], ...]
    woken: tuple[str, ...]

    @staticmethod
    def of(notifications: Iterable[tuple[str, str]]) -> Heard:
        notifications = list(notifications)
        return Heard(
            tuple((_run_id(channel), json.loads(text)) for channel, text in notifications if _is_run(channel)),
            tuple(
                channel.removeprefix(_QUEUE_CHANNEL)
                for channel, _ in notifications
                if channel.startswith(_QUEUE_CHANNEL)
            ),
        )


def differences(expected: Iterable[Event], heard: Heard, picture: Picture) -> list[str]:
    """What was heard otherwise than expected, whatever the order, a sentence each."""
    missing = [_as_notified(event, picture) for event in expected]
    found = []
    for run_id, event in heard.events:
        known = (run_id, canonical(event))
        if known in missing:
            missing.remove(known)
        else:
            found.append(f"heard of run {run_id}: {event}, which is not expected")
    return found + [f"heard nothing of run {run_id}: {text}" for run_id, text in missing]


def disorder(run: Run, names: list[str]) -> list[str]:
    """What is wrong with the order in which a run's events were heard, since whoever listened began to."""
    found = [f"{name} is heard {names.count(name)} times" for name in set(names) if names.count(name) > 1]
    place: Mapping[str, int] = {name: n for n, name in enumerate(names)}
    found += [
        f"{names[-1]} comes after the run's end" for name in names[:-1] if name in ("run:completed", "run:failed")
    ]
    if "run:started" in names[1:]:
        found.append("run:started is not the first event")
    for step in run.steps.values():
        own = [place[name] for name in _names_of(step.slug) if name in place]
        if own != sorted(own):
            found.append(f"the events of {step.slug} come in the order {own}")
        parents = [place[f"{dep.slug}:completed"] for dep in step.deps if f"{dep.slug}:completed" in place]
        if own and parents and min(own) < max(parents):
            found.append(f"an event of {step.slug} comes before one of its dependencies")
    return found


def _names_of(slug: str) -> list[str]:
    return [f"{slug}:started", f"{slug}:completed", f"{slug}:failed"]


def _as_notified(event: Event, picture: Picture) -> tuple[UUID, str | None]:
    """The event as it goes over the wire, with the times that its row has; cut if it would be too large."""
    row = _row(event, picture)
    payload = {"run_id": str(event.run_id), **event.payload, **_time(event, row)}
    sent: dict[str, Any] = {"event": event.name, "payload": payload}
    if len(json.dumps(sent, ensure_ascii=False).encode()) >= NOTIFY_LIMIT:
        for name in ("input", "output"):
            payload.pop(name, None)
        sent["truncated"] = True
    return event.run_id, canonical(sent)


def _row(event: Event, picture: Picture) -> Row:
    if "step_slug" in event.payload:
        return picture.steps.get((event.run_id, event.payload["step_slug"]), {})
    return picture.runs.get(event.run_id, {})


def _time(event: Event, row: Row) -> Row:
    """The one moment that an event tells: that of its own transition."""
    (name,) = (time for time in TIMES if time.startswith(event.name.rpartition(":")[2]))
    return {name: row.get(name)}


def _is_run(channel: str) -> bool:
    return channel.startswith(_RUN_CHANNEL)


def _run_id(channel: str) -> UUID:
    return UUID(channel.removeprefix(_RUN_CHANNEL))

"""Hears what the engine notifies, without ever waiting for time to pass."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from attrs import define, field, frozen
from psycopg import sql

from tests.plugins.databases import Connection
from tests.plugins.waiting import DEADLINE


@frozen
class Event:
    """An event of a run, as it was notified; `size` is that of the notification in bytes."""

    name: str
    payload: dict[str, Any]
    truncated: bool
    size: int


@define
class Ear:
    """A session that listens on channels, and nothing else."""

    connection: Connection
    _heard: list[tuple[str, str]] = field(factory=list, init=False)
    _mark: str = field(factory=lambda: f"test:{uuid4()}", init=False)

    def listen_to(self, *runs: UUID) -> None:
        """Listen to the events of runs, which need not exist yet."""
        for run_id in runs:
            self.listen_on(f"pgflow:run:{run_id}")

    def listen_on(self, channel: str) -> None:
        """Listen on any channel."""
        self.connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))

    def leave(self, *runs: UUID) -> None:
        """Listen to runs no more."""
        for run_id in runs:
            self.connection.execute(sql.SQL("unlisten {}").format(sql.Identifier(f"pgflow:run:{run_id}")))

    def leave_all(self) -> None:
        """Listen to nothing more, and forget what was heard."""
        self.connection.execute("unlisten *")
        self._heard.clear()

    def take(self) -> list[tuple[str, str]]:
        """The channel and payload of all that has been committed since this was last asked."""
        taken = list(self._everything())
        self._heard.clear()
        return taken

    def events(self, run_id: UUID) -> list[Event]:
        """Every event of a run that has been committed so far, in the order of the commits."""
        return [_event(payload) for payload in self.payloads(f"pgflow:run:{run_id}")]

    def names(self, run_id: UUID) -> list[str]:
        """The names of those events."""
        return [event.name for event in self.events(run_id)]

    def wake_ups(self, flow: str = "flow") -> list[str]:
        """The payloads of the wake-ups of a queue that have been committed so far."""
        return self.payloads(f"pgflow:queue:{flow}")

    def payloads(self, channel: str) -> list[str]:
        """Every payload that has been notified on a channel so far, as it is."""
        return [payload for name, payload in self._everything() if name == channel]

    def _everything(self) -> list[tuple[str, str]]:
        # Notifications arrive in the order of the commits: once one of our own has come, all before it have.
        self.listen_on(self._mark)
        self.connection.execute("select pg_notify(%s, '')", [self._mark])
        for notification in self.connection.notifies(timeout=DEADLINE):
            if notification.channel == self._mark:
                return self._heard
            self._heard.append((notification.channel, notification.payload))
        raise AssertionError(f"a notification to oneself did not arrive within {DEADLINE} seconds")


def _event(text: str) -> Event:
    sent = json.loads(text)
    truncated = sent.pop("truncated", False)
    assert sent.keys() == {"event", "payload"}
    return Event(sent["event"], sent["payload"], truncated, len(text.encode()))

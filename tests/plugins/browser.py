"""What a browser does with a ``text/event-stream``, over a socket that a test may close whenever it likes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import define, frozen

from tests.plugins.waiting import DEADLINE


@frozen
class Frame:
    """What stands between two empty lines: an event, or a comment."""

    event: str
    data: Any
    id: str | None
    comment: str


@define
class EventSource:
    """A connection to a stream; `last_event_id` is what the browser would send if it lost it."""

    response: HTTPResponse
    connection: HTTPConnection
    last_event_id: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        """The frames as they come, until the server ends the stream."""
        fields: dict[str, str] = {}
        while line := self.response.readline():
            text = line.decode().removesuffix("\n")
            if text:
                name, _, value = text.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            frame = Frame(
                event=fields.get("event", ""),
                data=json.loads(fields["data"]) if "data" in fields else None,
                id=fields.get("id"),
                comment=fields.get("", ""),
            )
            self.last_event_id = frame.id or self.last_event_id
            fields = {}
            yield frame

    def until(self, event: str) -> list[Frame]:
        """The events up to the next of that name, comments left out."""
        frames = []
        for frame in self:
            if frame.event:
                frames.append(frame)
            if frame.event == event:
                return frames
        raise AssertionError(f"{event} never came, but {[frame.event for frame in frames]}")

    def comment(self) -> str:
        """The next comment."""
        return next(frame.comment for frame in self if frame.comment)

    def close(self) -> None:
        """Leave, as a browser does whose tab is closed."""
        self.response.close()
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def open_stream(url: str, last_event_id: str | None = None) -> EventSource:
    """Connect to a stream, which has to be there."""
    connection, response = _send("GET", url, {"Last-Event-ID": last_event_id} if last_event_id else {})
    assert response.status == 200, response.read()
    assert response.headers.get_content_type() == "text/event-stream"
    return EventSource(response, connection)


def fetch(method: str, url: str) -> tuple[int, Any]:
    """Send a request and return the status and the JSON of its answer."""
    connection, response = _send(method, url, {"Accept": "application/json"})
    try:
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _send(method: str, url: str, headers: Mapping[str, str]) -> tuple[HTTPConnection, HTTPResponse]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=3 * DEADLINE)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request(method, target, headers=dict(headers))
    return connection, connection.getresponse()

"""A stream of Server-Sent Events as a program reads it, frame by frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from attrs import frozen

from tests.browser.web_server import WebServer, page_of_run


@frozen
class Frame:
    """One event of a stream; a comment has no name."""

    id: str | None
    name: str
    data: Any


@frozen
class Stream:
    """The events of a run, as they arrive."""

    _response: httpx.Response

    def frames(self) -> Iterator[Frame]:
        """Each frame as it comes, comments too, until the server ends the stream."""
        fields: dict[str, str] = {}
        for line in self._response.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                yield Frame(fields.get("id"), fields.get("event", ""), json.loads(fields.get("data", "null")))
                fields = {}

    def until(self, name: str) -> list[Frame]:
        """The frames up to the first of that name, comments left out."""
        seen: list[Frame] = []
        for frame in self.frames():
            if frame.name:
                seen.append(frame)
            if frame.name == name:
                return seen
        raise AssertionError(f"the stream ended before {name}, after {[frame.name for frame in seen]}")


@contextmanager
def stream(web: WebServer, run_id: UUID, last_event_id: str | None = None) -> Iterator[Stream]:
    """Open the stream of a run; in the end, or before its end, the reader hangs up without a word."""
    headers = {"Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    with web.client.stream("GET", page_of_run(run_id, "events"), headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(response)

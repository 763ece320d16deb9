"""A view's answer that streams what happens in a run."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request
from werkzeug.exceptions import NotFound

from pgflow.client import FlowRun
from pgflow.contrib.event_stream import event_stream
from pgflow.contrib.flask.extension import current_client
from pgflow.errors import UnknownRunError

__all__ = ["stream_run"]


def stream_run(run: FlowRun | UUID | str, *, heartbeat: float = 15.0, progress: float | None = 1.0) -> Response:
    """Return a response that streams the events of a run to a browser's ``EventSource``, from its start to its end.

    What is in the stream, ``heartbeat`` and ``progress`` are described in `pgflow.contrib.event_stream`. A browser that
    comes back goes on where it was. A stream takes a thread of the server for as long as somebody looks.

    :param run: a run, or the id of one.
    :raises NotFound: there is no run of that id.
    """
    if not isinstance(run, FlowRun):
        try:
            run = current_client.get_run(run)
        except UnknownRunError as error:
            raise NotFound(str(error)) from error
    frames = event_stream(
        run, last_event_id=request.headers.get("Last-Event-ID"), heartbeat=heartbeat, progress=progress
    )
    response = Response(frames, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # nginx collects an answer until a buffer is full, unless it is told not to.
    response.headers["X-Accel-Buffering"] = "no"
    return response

"""A view's answer that streams what happens in a run."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import close_old_connections
from django.http import Http404, HttpRequest, StreamingHttpResponse

from pgflow.client import FlowRun
from pgflow.contrib.django.client import get_client
from pgflow.contrib.event_stream import event_stream
from pgflow.errors import UnknownRunError

__all__ = ["stream_run"]


def stream_run(
    request: HttpRequest, run: FlowRun | UUID | str, *, heartbeat: float = 15.0, progress: float | None = 1.0
) -> StreamingHttpResponse:
    """Return a response that streams the events of a run to a browser's ``EventSource``, from its start to its end.

    What is in the stream, ``heartbeat`` and ``progress`` are described in `pgflow.contrib.event_stream`. A browser that
    comes back goes on where it was. A stream takes a thread of the server for as long as somebody looks, but no
    connection of Django's: the thread gives that back first, as it does at the end of a request.

    It begins when the view has returned, so that the run may be one that the view's own transaction starts. Who may see
    it is for the view to decide.

    :param run: a run, or the id of one.
    :raises Http404: there is no such run.
    :raises ImproperlyConfigured: under ASGI, where Django would read the stream to its end before it sends anything.
    """
    if hasattr(request, "scope"):
        raise ImproperlyConfigured("stream_run needs a WSGI server with threads, such as gunicorn's gthread: not ASGI")
    if not isinstance(run, FlowRun):
        try:
            run = get_client().get_run(run)
        except UnknownRunError as error:
            raise Http404(str(error)) from error
    frames = event_stream(
        run, last_event_id=request.headers.get("Last-Event-ID"), heartbeat=heartbeat, progress=progress
    )
    response = StreamingHttpResponse(_without_connection(frames), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    # nginx collects an answer until a buffer is full, and so does GZipMiddleware, unless they are told not to.
    response["X-Accel-Buffering"] = "no"
    response["Content-Encoding"] = "identity"
    return response


def _without_connection(frames: Generator[str, None, None]) -> Generator[str, None, None]:
    with closing(frames):
        close_old_connections()
        yield from frames

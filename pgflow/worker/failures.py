"""How an exception of a handler becomes the report of a failed attempt."""

from __future__ import annotations

import traceback
from types import TracebackType

from pgflow.errors import NotJsonError
from pgflow.models import Failure, TaskKey
from pgflow.worker.control import FailPermanently, RetryAfter

__all__ = ["describe", "failure_of"]

#: Characters of a message, and of a traceback, that are sent at most; the engine may cut further.
_MESSAGE_LIMIT = 8_000
_TRACEBACK_LIMIT = 32_000


def failure_of(key: TaskKey, error: BaseException) -> Failure:
    """Return the report for an attempt that ended in ``error``.

    A value that JSON cannot hold, or that does not fit the handler's annotations, would be the same next time: it
    fails the task for good, as `FailPermanently` does.
    """
    trace = _format_traceback(error)
    if isinstance(error, FailPermanently):
        return Failure(key, _cut(str(error.message), _MESSAGE_LIMIT), permanent=True, traceback=trace)
    if isinstance(error, RetryAfter):
        reported = error.__cause__ or error
        return Failure(key, describe(reported), retry_delay=error.seconds, traceback=trace)
    return Failure(key, describe(error), permanent=isinstance(error, NotJsonError), traceback=trace)


def describe(error: BaseException) -> str:
    """Return ``TypeName: message``, or the type's name alone where there is no message.

    Of values that do not fit, the public name is given, whatever class says so inside.
    """
    name = "NotJsonError" if isinstance(error, NotJsonError) else type(error).__name__
    try:
        message = str(error)
    except Exception:
        message = "<the message cannot be shown>"
    return _cut(f"{name}: {message}" if message else name, _MESSAGE_LIMIT)


def _format_traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of pgflow around the handler's.

    Of one that is too long the end is kept: it has the line that raised.
    """
    try:
        lines = traceback.format_exception(type(error), error, _handler_frames(error.__traceback__))
    except Exception:  # a broken __str__ or __notes__ of the user's exception must not lose the report
        lines = traceback.format_tb(error.__traceback__)
    return "".join(lines)[-_TRACEBACK_LIMIT:]


def _cut(text: str, limit: int) -> str:
    """Return ``text``, or so many of its first characters with a mark at the end."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _handler_frames(frames: TracebackType | None) -> TracebackType | None:
    first = frames
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("pgflow."):
        frames = frames.tb_next
    return frames or first

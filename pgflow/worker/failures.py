"""How an exception of a handler becomes the report of a failed attempt."""

from __future__ import annotations

import traceback
from types import TracebackType
from uuid import UUID

from pgflow.errors import NotJsonError
from pgflow.models import Failure, TaskKey
from pgflow.worker.control import FailPermanently, RetryAfter

__all__ = ["RemoteError", "describe", "failure_of", "is_planned"]

#: Characters of a message, and of a traceback, that are sent at most; the engine may cut further.
_MESSAGE_LIMIT = 8_000
_TRACEBACK_LIMIT = 32_000
#: A failure is described before it is known, or of interest, to which attempt it belongs.
_NO_TASK = TaskKey(UUID(int=0), "", 0, 0)


class RemoteError(Exception):
    """What a handler in another process has raised, as far as a report needs it.

    Exceptions themselves do not travel well: some do not pickle, some pickle and cannot be made again, and all lose
    their frames and causes. This has plain values only.
    """

    def __init__(
        self, message: str, trace: str | None, permanent: bool, retry_delay: float | None, planned: bool
    ) -> None:
        super().__init__(message, trace, permanent, retry_delay, planned)
        self.message = message
        self.trace = trace
        self.permanent = permanent
        self.retry_delay = retry_delay
        self.planned = planned

    @classmethod
    def of(cls, error: BaseException) -> RemoteError:
        """Return what there is to say of ``error``; called where it was raised."""
        if isinstance(error, RemoteError):
            return error
        failure = failure_of(_NO_TASK, error)
        return cls(failure.error_message, failure.traceback, failure.permanent, failure.retry_delay, is_planned(error))

    def __str__(self) -> str:
        return f"\n{self.trace}" if self.trace else self.message


def is_planned(error: BaseException) -> bool:
    """Return whether the log needs no traceback: a handler has decided about its retry, or a value does not fit.

    The latter names its path, and the frames would be ours. The message of a `RetryAfter` is its cause's, while what
    has caused one of the others is told by the traceback alone.
    """
    if isinstance(error, RemoteError):
        return error.planned
    if isinstance(error, RetryAfter):
        return True
    return isinstance(error, (FailPermanently, NotJsonError)) and error.__cause__ is None


def failure_of(key: TaskKey, error: BaseException) -> Failure:
    """Return the report for an attempt that ended in ``error``.

    A value that JSON cannot hold, or that does not fit the handler's annotations, would be the same next time: it
    fails the task for good, as `FailPermanently` does.
    """
    if isinstance(error, RemoteError):
        return Failure(key, error.message, error.permanent, error.retry_delay, error.trace)
    trace = _format_traceback(error)
    if isinstance(error, FailPermanently):
        # A subclass may have left out what ours sets.
        message = getattr(error, "message", None) or describe(error)
        return Failure(key, _cut(str(message), _MESSAGE_LIMIT), permanent=True, traceback=trace)
    if isinstance(error, RetryAfter):
        reported = error.__cause__ or error
        return Failure(key, describe(reported), retry_delay=getattr(error, "seconds", None), traceback=trace)
    return Failure(key, describe(error), permanent=isinstance(error, NotJsonError), traceback=trace)


def describe(error: BaseException) -> str:
    """Return ``TypeName: message``, or the type's name alone where there is no message.

    Of values that do not fit, the public name is given, whatever class says so inside.
    """
    name = "NotJsonError" if isinstance(error, NotJsonError) else type(error).__name__
    try:
        message = str(error)
    except BaseException:
        message = "<the message cannot be shown>"
    return _cut(f"{name}: {message}" if message else name, _MESSAGE_LIMIT)


def _format_traceback(error: BaseException) -> str:
    """Return the traceback as Python prints it, without the frames of pgflow around the handler's.

    Of one that is too long the end is kept: it has the line that raised.
    """
    try:
        lines = traceback.format_exception(type(error), error, _handler_frames(error.__traceback__))
    except BaseException:  # a broken __str__ or __notes__ of the user's exception must not lose the report
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

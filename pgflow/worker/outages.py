"""Database errors as a worker sees them: what to blame, how long to pause, and what to log."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

import psycopg
from attrs import define, field

__all__ = ["Health", "Link", "backoff", "blames_data", "words_of"]

logger = logging.getLogger("pgflow.worker")

#: SQLSTATE classes that are about the values sent: data exceptions, broken constraints, and limits of a type.
_DATA_CLASSES = frozenset({"22", "23", "54"})
#: What the server says to a value that needs more memory than one allocation may have.
_INTERNAL_ERROR = "XX000"

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


def blames_data(error: Exception) -> bool:
    """Return whether ``error`` is about the values that were sent, so that sending them again cannot help.

    Everything else (a lost connection, a server that is starting, a missing privilege) is about the database and may
    pass.
    """
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate[:2] in _DATA_CLASSES or sqlstate == _INTERNAL_ERROR
    if isinstance(error, psycopg.Error):
        return isinstance(error, (psycopg.DataError, psycopg.ProgrammingError))
    return isinstance(error, (ValueError, TypeError, OverflowError, RecursionError))


def words_of(error: Exception) -> str:
    """Return an error as one line; of one from the server, what it is without the data it was about."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    lines = (said or str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def backoff(failures: int, *, longest: float = _LONGEST_PAUSE, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds to pause after one failure and so many before it: doubling up to a limit, with jitter."""
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 16), longest) * (0.5 + jitter() / 2)


@define(eq=False)
class Health:
    """Which parts of a worker cannot reach the database.

    One line is logged when the first of them fails, and one when the last has recovered.
    """

    _failing: set[str] = field(factory=set, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _since: float = field(default=0.0, init=False)

    @property
    def is_well(self) -> bool:
        """Whether the database has answered every part that asked last."""
        return not self._failing

    def link(self, part: str) -> Link:
        """Return the way to the database of one part."""
        return Link(self, part)

    def others_fail(self, part: str) -> bool:
        """Return whether a part other than ``part`` is waiting for the database to come back."""
        return bool(self._failing) and self._failing != {part}

    def failed(self, part: str, error: Exception) -> None:
        """Note that ``part`` has failed."""
        with self._lock:
            first = not self._failing
            self._failing.add(part)
            if first:
                self._since = time.monotonic()
        if first:
            logger.warning(
                "no answer from the database while %s, retrying until there is one: %s", part, words_of(error)
            )
        else:
            logger.debug("no answer from the database while %s", part, exc_info=error)

    def ended(self, part: str) -> None:
        """Note that ``part`` asks no more: what it met last says nothing about the database any longer."""
        with self._lock:
            self._failing.discard(part)

    def recovered(self, part: str) -> None:
        """Note that ``part`` works again."""
        with self._lock:
            self._failing.discard(part)
            last = not self._failing
        if last:
            logger.info("the database answers again after %.1f s", time.monotonic() - self._since)


@define(eq=False)
class Link:
    """One part's way to the database: counts its failures in a row and says how long to pause."""

    _health: Health
    part: str
    _failures: int = field(default=0, init=False)
    _jitter: Callable[[], float] = random.random

    def failed(self, error: Exception) -> float:
        """Note a failure and return the seconds to pause: doubling up to a limit, with jitter.

        The jitter keeps the workers that one outage has hit from coming back in step.
        """
        self._health.failed(self.part, error)
        self._failures += 1
        return backoff(self._failures - 1, jitter=self._jitter)

    def succeeded(self) -> None:
        """Note that the database answered; free where it did before."""
        if self._failures:
            self._failures = 0
            self._health.recovered(self.part)

    def ended(self) -> None:
        """Note that this part asks no more."""
        self._health.ended(self.part)

    @property
    def must_wait(self) -> bool:
        """Whether another part has yet to find the database back."""
        return self._health.others_fail(self.part)

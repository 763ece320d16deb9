"""Whether what is notified arrives.

PgBouncer in transaction mode accepts LISTEN, and nothing ever comes of it. There is no error to notice it by, so a
notification is sent to oneself, from another connection: on one's own it would come back with the statement's result
even there. For the same reason, where a pooler is known of, one that comes back in the answer to any statement proves
nothing, and another is sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import uuid4

import psycopg
from attrs import define, field

from pgflow.errors import PgflowError

__all__ = ["Probe"]

logger = logging.getLogger(__name__)

# Far longer than a notification takes, and nobody is kept waiting by it: runs are polled until the probe has arrived.
_PATIENCE = 5.0
_RETRY_AFTER = 1.0


@define(eq=False)
class Probe:
    """A notification to oneself, and the verdict."""

    #: Sends an empty notification on a channel, by another connection than the one that listens.
    _notify: Callable[[str], None]
    channel: str = field(factory=lambda: f"pgflow:probe:{uuid4()}", init=False)
    #: Whether notifications arrive; None until that is known.
    verdict: bool | None = field(default=None, init=False)
    _sent_at: float | None = field(default=None, init=False)
    #: How many statements the listening session had answered then.
    _answered: int = field(default=0, init=False)
    _retry_at: float = field(default=0.0, init=False)

    def renew(self) -> None:
        """Forget an unfavourable verdict: another connection may be a better one."""
        self.verdict = self.verdict or None
        self._sent_at = None

    def advance(self, answered: int) -> bool:
        """Send the notification, or give it up for lost, when it is time for that; return whether it is given up now.

        ``answered`` is how many statements the listening session has answered.
        """
        if self.verdict is not None:
            return False
        now = time.monotonic()
        if self._sent_at is None:
            if now >= self._retry_at:
                self._send(answered)
        elif now - self._sent_at > _PATIENCE:
            self.verdict = False
            logger.warning(
                "LISTEN delivers nothing on this connection, as behind PgBouncer in transaction mode: "
                "runs are polled instead; listen_dsn= can name a direct connection"
            )
            return True
        return False

    def _send(self, answered: int) -> None:
        try:
            self._notify(self.channel)
        except (psycopg.Error, PgflowError) as exc:
            logger.debug("the probe could not be sent yet: %s", exc)
            self._retry_at = time.monotonic() + _RETRY_AFTER
        else:
            self._sent_at = time.monotonic()
            self._answered = answered

    def arrived(self, answered: int, *, is_shared: bool) -> bool:
        """Note that it has; return whether that proves anything on such a session."""
        if is_shared and answered != self._answered:
            self._sent_at = None
            return False
        self.verdict = True
        return True

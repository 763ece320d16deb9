"""What a handler raises to decide about its own retry.

Control flow, not failures of pgflow: neither is a `pgflow.errors.PgflowError`.
"""

from __future__ import annotations

import math

__all__ = ["FailPermanently", "RetryAfter"]


class RetryAfter(Exception):  # noqa: N818  a decision, no error
    """This attempt did not work; make the next one in ``seconds`` instead of after the step's backoff.

    The attempt counts: a step that has used up its ``max_attempts`` fails. Raised ``from`` another exception, the
    stored error is that one's.
    """

    def __init__(self, seconds: float) -> None:
        if not (seconds >= 0 and math.isfinite(seconds)):
            raise ValueError(f"RetryAfter takes a number of seconds that is finite and not negative, not {seconds!r}")
        super().__init__(seconds)
        self.seconds = float(seconds)

    def __str__(self) -> str:
        return f"asked to be run again after {self.seconds:g} s"


class FailPermanently(Exception):  # noqa: N818  a decision, no error
    """This task can never succeed; fail it with ``message``, whatever is left of its ``max_attempts``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

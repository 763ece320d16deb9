"""What handlers ask the database for while they run: the input of their run, and a transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar
from uuid import UUID

import psycopg
from attrs import define, field

from pgflow.abc import HandlerAccess, TaskTransaction
from pgflow.models import Json
from pgflow.worker.outages import backoff, blames_data
from pgflow.worker.run_inputs import RunInputs

__all__ = ["HandlerDatabase"]

T = TypeVar("T")

_LONGEST_PAUSE = 2.0


@define(eq=False)
class HandlerDatabase:
    """The database as handlers see it, wherever they run: in another process it is that process's own.

    An outage is no failure of a handler: it is waited out, until the attempt has no time left.
    """

    _access: HandlerAccess
    _inputs: RunInputs = field(init=False)

    @_inputs.default
    def _run_inputs(self) -> RunInputs:
        return RunInputs(self._access.get_run_with_states)

    def run_input(self, run_id: UUID, ends: float) -> Json:
        """Return the input of a run as plain JSON, the caller's to change; ``ends`` is of the monotonic clock.

        :raises UnknownRunError: if the run is gone.
        """
        return _patiently(lambda: self._inputs.of(run_id), ends)

    def begin(self, ends: float) -> TaskTransaction:
        """Open a transaction for an attempt that ``ends`` then."""
        return _patiently(lambda: self._access.task_transaction(max(ends - time.monotonic(), 0)), ends)

    def __reduce__(self) -> tuple[object, ...]:
        return _database_here, (self._access,)


@cache
def _database_here(access: HandlerAccess) -> HandlerDatabase:
    return HandlerDatabase(access)


def _patiently(call: Callable[[], T], ends: float) -> T:
    failures = 0
    while True:
        try:
            return call()
        except psycopg.OperationalError as error:
            left = ends - time.monotonic()
            if blames_data(error) or left <= 0:
                raise
            threading.Event().wait(min(backoff(failures, longest=_LONGEST_PAUSE), left))
            failures += 1

"""How a caller hears of the end where a system keeps no results: the last handler notifies it of what came out."""

from __future__ import annotations

import json
from collections import Counter

import psycopg

__all__ = ["CHANNEL", "Gathering", "Told", "message"]

CHANNEL = "bench_told"
#: Seconds after which a notification is not coming any more.
_PATIENCE = 60.0


def message(run: int, value: int) -> str:
    """What a handler notifies of."""
    return json.dumps([run, value])


class Told:
    """The caller's end: a connection that listens."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(f"listen {CHANNEL}".encode())
        self._values: dict[int, int] = {}

    def result(self, run: int) -> int:
        """Block until a run's last handler has told; TimeoutError if it does not."""
        while run not in self._values:
            # What arrived with the one that was waited for comes along with it.
            if not (arrived := list(self._connection.notifies(timeout=_PATIENCE, stop_after=1))):
                raise TimeoutError(f"nobody told of run {run}")
            self._values.update(json.loads(notified.payload) for notified in arrived)
        return self._values.pop(run)

    def close(self) -> None:
        """Stop listening."""
        self._connection.close()


class Gathering:
    """The sum of a fan-out, kept in the memory of the only worker: not durable, and cheaper than what would be."""

    def __init__(self) -> None:
        self._left: Counter[int] = Counter()
        self._sums: Counter[int] = Counter()

    def expect(self, run: int, tasks: int) -> None:
        """Say how many tasks a run will have, before the first of them."""
        self._left[run] = tasks

    def add(self, run: int, value: int) -> int | None:
        """Count a task in; the sum, if it was the last."""
        self._left[run] -= 1
        self._sums[run] += value
        return None if self._left[run] else self._sums.pop(run)

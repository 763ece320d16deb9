"""One session that listens: what the listener's thread does with its connection, and nobody else.

Notifications arrive whenever the connection is read, in the middle of a statement too; they are kept in the order of
their arrival until `received` hands them out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import psycopg
from attrs import define, field, frozen
from psycopg import Notify

from pgflow.engine import statements
from pgflow.engine.rows import snapshot
from pgflow.errors import NotJsonError
from pgflow.models import RunSnapshot, RunStatus

__all__ = ["ListenSession", "Progress", "Shown"]

Shown: TypeAlias = RunSnapshot | NotJsonError
"""What the tables show of a run, or why Python cannot read it."""

# Watching locks the runs until the statement ends, so that a batch is kept short.
_WATCH_BATCH = 100
_STATUS_BATCH = 1000


@frozen
class Progress:
    """How far a run has come, without what it has produced."""

    run_id: UUID
    status: RunStatus
    #: Grows whenever a step or the run moves.
    version: int


@define(eq=False)
class ListenSession:
    """An autocommit connection and the channels it listens on."""

    _connection: psycopg.Connection[Any]
    channels: set[str] = field(factory=set, init=False)
    #: How many statements have been answered.
    answered: int = field(default=0, init=False)
    _inbox: deque[Notify] = field(factory=deque, init=False)

    def __attrs_post_init__(self) -> None:
        self._connection.add_notify_handler(self._inbox.append)

    @property
    def is_shared(self) -> bool:
        """Whether a pooler may lend it to others between statements, so that a LISTEN could be for nothing."""
        return self._connection.prepare_threshold is None

    def fileno(self) -> int:
        """The descriptor that becomes readable when something has arrived."""
        return self._connection.fileno()

    def is_lost(self, error: psycopg.Error) -> bool:
        """Whether the connection can no longer be used after an error."""
        # What ends a session may be an answer like any other, after which the end itself is still to be read.
        is_final = error.sqlstate is None or error.diag.severity_nonlocalized in ("FATAL", "PANIC")
        return self._connection.closed or is_final

    def change(self, *, listen: Iterable[str] = (), unlisten: Iterable[str] = ()) -> None:
        """Stop and start listening, all in one statement that has committed on return."""
        leaving = self.channels.intersection(unlisten)
        joining = set(listen) - self.channels
        text = ";".join(part for part in (statements.unlisten(leaving), statements.listen(joining)) if part)
        if text:
            self._connection.execute(text.encode())
            self.answered += 1
            self.channels = self.channels - leaving | joining

    def watch(self, run_ids: Sequence[UUID]) -> tuple[dict[UUID, Shown], list[UUID]]:
        """Have runs notify from now on; returns what they are, and those that somebody has locked for long.

        A run that does not exist is in neither.
        """
        found: dict[UUID, Shown] = {}
        locked: list[UUID] = []
        waiting = [list(batch) for batch in _batches(run_ids, _WATCH_BATCH)]
        while waiting:
            batch = waiting.pop()
            try:
                found |= self._snapshots(statements.WATCH_RUNS, batch)
            except psycopg.errors.LockNotAvailable:
                if len(batch) == 1:
                    locked += batch
                else:
                    waiting += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        return found, locked

    def snapshots(self, run_ids: Sequence[UUID]) -> dict[UUID, Shown]:
        """Return what those runs are that exist."""
        found: dict[UUID, Shown] = {}
        for batch in _batches(run_ids, _WATCH_BATCH):
            found |= self._snapshots(statements.RUNS_WITH_STATES, batch)
        return found

    def _snapshots(self, statement: str, run_ids: Sequence[UUID]) -> dict[UUID, Shown]:
        return {UUID(run_id): _shown(run, steps) for run_id, run, steps in self._rows(statement, run_ids)}

    def progress(self, run_ids: Sequence[UUID]) -> list[Progress]:
        """Return how far those runs have come that exist."""
        return [
            Progress(UUID(run_id), RunStatus(status), version)
            for batch in _batches(run_ids, _STATUS_BATCH)
            for run_id, status, version in self._rows(statements.RUN_STATUSES, batch)
        ]

    def _rows(self, statement: str, run_ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
        rows = self._connection.execute(statement.encode(), {"run_ids": list(map(str, run_ids))}).fetchall()
        self.answered += 1
        return rows

    def received(self) -> Iterator[Notify]:
        """Yield what has arrived, oldest first, until there is no more; never waits."""
        pgconn = self._connection.pgconn
        pgconn.consume_input()
        while (arrived := pgconn.notifies()) is not None:
            self._inbox.append(
                Notify(arrived.relname.decode(), arrived.extra.decode("utf-8", "replace"), arrived.be_pid)
            )
        while self._inbox:
            yield self._inbox.popleft()

    def close(self) -> None:
        """End the session; idempotent."""
        self._connection.close()


def _batches(run_ids: Sequence[UUID], size: int) -> Iterator[Sequence[UUID]]:
    return (run_ids[start : start + size] for start in range(0, len(run_ids), size))


def _shown(run: str, steps: str) -> Shown:
    try:
        return snapshot(run, steps)
    except NotJsonError as exc:
        return exc

"""What a handler can ask about the attempt that it is running."""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from attrs import NOTHING, frozen

from pgflow.abc import TaskTransaction
from pgflow.models import Completion, Json, TaskRecord
from pgflow.worker.database import HandlerDatabase
from pgflow.worker.outages import words_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["Context", "Transacted"]

logger = logging.getLogger("pgflow.worker")

#: Seconds at most before a task is handed back whose transaction was lost: it is due at once, and the reason may last.
_REST = 1.0


class Transacted(Enum):
    """What became of a handler's transaction and of its result with it."""

    COMMITTED = "committed"
    UNDONE = "undone"


class Context:
    """One attempt at one task, as its handler sees it (the parameter ``ctx``).

    A context can be pickled, so that a handler may run in another process. It reaches the database from there by
    itself, and `should_stop` knows the deadline only.
    """

    __slots__ = (
        "_cancelled",
        "_database",
        "_ends",
        "_key",
        "_run_input",
        "_structure",
        "_transaction",
        "attempt",
        "deadline",
        "flow_slug",
        "run_id",
        "step_slug",
        "task_index",
    )

    run_id: UUID
    flow_slug: str
    step_slug: str
    #: The item's place in the fan-out's array; 0 for a single step.
    task_index: int
    #: 1 for the first attempt.
    attempt: int
    #: When this attempt is failed with a timeout, in UTC.
    deadline: datetime

    def __init__(
        self,
        record: TaskRecord,
        *,
        timeout: float,
        structure: Callable[[Json], Any],
        database: HandlerDatabase,
    ) -> None:
        self.run_id = record.run_id
        self.flow_slug = record.flow_slug
        self.step_slug = record.step_slug
        self.task_index = record.task_index
        self.attempt = record.attempts_count
        self.deadline = datetime.now(UTC) + timedelta(seconds=timeout)
        self._ends = time.monotonic() + timeout
        self._key = record.key
        self._database = database
        self._structure = structure
        # What a single step is given with its input, the task of a fan-out has to ask for.
        self._run_input = _Plain(record.input["run"]) if "run" in record.input else NOTHING
        self._transaction: TaskTransaction | None = None
        self._cancelled = False

    @property
    def run_input(self) -> Any:
        """The run's input, structured as the flow's ``input=`` says; loaded when it is first asked for.

        :raises UnknownRunError: if the run is gone.
        """
        if self._run_input is NOTHING:
            self._run_input = _Plain(self._database.run_input(self.run_id, self._ends))
        if isinstance(self._run_input, _Plain):
            self._run_input = self._structure(copy.deepcopy(self._run_input.value))
        return self._run_input

    @property
    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection to the database in a transaction in which this task completes: exactly once.

        What is written here is committed together with the result of the handler, or not at all: an exception, a
        timeout, a crash, or another attempt that has taken the task in the meantime undo it. Opened when it is first
        asked for. ``commit()`` and ``rollback()`` are refused, ``transaction()`` is a savepoint, and the isolation
        level has to stay READ COMMITTED. In an outage this waits for the database until the deadline.
        """
        return self._transacting().connection

    @property
    def session(self) -> Session:
        """The transaction of `connection` as a SQLAlchemy session; both can be used.

        Its ``commit()`` flushes and releases a savepoint, its ``rollback()`` returns to the last one; what it holds is
        flushed at the end by itself.
        """
        return self._transacting().session

    @property
    def should_stop(self) -> bool:
        """Whether finishing is in vain or not welcome: the time is up, another attempt has taken the task, its run is
        over, or the worker is shutting down. A long handler looks at this now and then and gives up by raising."""
        return self._cancelled or time.monotonic() >= self._ends

    @property
    def idempotency_key(self) -> str:
        """The same text on every attempt at this task, and another for every other task."""
        return f"{self.run_id}:{self.step_slug}:{self.task_index}"

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry the ids of this attempt, as attributes and before the message.

        Its name is ``pgflow.flow.<flow slug>.<step slug>``.
        """
        return _TaskLogger(
            logging.getLogger(f"pgflow.flow.{self.flow_slug}.{self.step_slug}"),
            {
                "run_id": str(self.run_id),
                "flow_slug": self.flow_slug,
                "step_slug": self.step_slug,
                "task_index": self.task_index,
                "attempt": self.attempt,
            },
        )

    def remaining(self) -> float:
        """Return the seconds that are left before the deadline, never below 0."""
        return max(self._ends - time.monotonic(), 0.0)

    def __repr__(self) -> str:
        return (
            f"<Context of {self.flow_slug}.{self.step_slug}[{self.task_index}] in run {self.run_id}, "
            f"attempt {self.attempt}>"
        )

    def __getstate__(self) -> dict[str, Any]:
        # A transaction is opened where the handler runs.
        return {name: getattr(self, name) for name in self.__slots__ if name not in ("_ends", "_transaction")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        # A monotonic clock means nothing on another machine; the wall clock's deadline does.
        self._ends = time.monotonic() + (self.deadline - datetime.now(UTC)).total_seconds()
        self._transaction = None

    def _transacting(self) -> TaskTransaction:
        if self._transaction is None:
            self._transaction = self._database.begin(self._ends)
        return self._transaction

    def _finish(self, output: Json) -> Json | Transacted:
        """Commit the handler's transaction with its result; without one, return the result as it is.

        A database that is lost in the middle of that says nothing about the handler: its work is undone, or done and
        known to the engine.
        """
        if self._transaction is None:
            return output
        try:
            taken = self._transaction.complete(Completion(self._key, output))
        except psycopg.OperationalError as error:
            self._abandon()
            logger.warning("%r could not commit and is handed back: %s", self, words_of(error))
            threading.Event().wait(_REST * (0.5 + random.random() / 2))  # noqa: S311  no secret
            return Transacted.UNDONE
        return Transacted.COMMITTED if taken else Transacted.UNDONE

    def _abandon(self) -> None:
        """Undo the handler's transaction, if it opened one."""
        if self._transaction is not None:
            self._transaction.roll_back()

    def _cancel(self) -> None:
        """Tell the handler to stop; the worker's, not the handler's."""
        self._cancelled = True


class _TaskLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the ids of an attempt to every record, beside what the call adds itself."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        ids = self.extra or {}
        kwargs["extra"] = {**ids, **(kwargs.get("extra") or {})}
        where = f"{ids['flow_slug']}.{ids['step_slug']}[{ids['task_index']}]"
        # The ids hold no percent sign, so the message keeps its own formatting arguments.
        return f"{where} run {ids['run_id']} attempt {ids['attempt']}: {msg}", kwargs


@frozen
class _Plain:
    """A run's input as it is stored, not structured yet."""

    value: Json

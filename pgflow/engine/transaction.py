"""The transaction of a handler, which its task completes in."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

import psycopg

from pgflow.engine import statements
from pgflow.engine.borrowed import BorrowedCalls, borrow
from pgflow.errors import PgflowError
from pgflow.models import Completion

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["TaskTransaction"]


class TaskTransaction:
    """What a handler writes and the completion of its task: committed together, or neither.

    :param lend: gives the connection for as long as the transaction lasts, and takes it back.
    :param seconds: when the server ends a statement that is still running, or a transaction in which nothing happens
        any more; None is never.
    """

    def __init__(self, lend: AbstractContextManager[psycopg.Connection[Any]], seconds: float | None) -> None:
        self._stack = ExitStack()
        self._session: Session | None = None
        try:
            #: The handler's. Its ``commit`` and ``rollback`` are refused; its ``transaction()`` is a savepoint.
            self.connection = self._stack.enter_context(lend)
            self._stack.enter_context(self.connection.transaction())
            if seconds is not None:
                # 0 would be no limit at all.
                milliseconds = max(int(seconds * 1000), 1)
                borrow(self.connection).fetch(statements.EXPIRE_TRANSACTION, {"milliseconds": milliseconds})
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise

    @property
    def session(self) -> Session:
        """A SQLAlchemy session in this transaction, made when it is first asked for."""
        if self._session is None:
            from pgflow.engine.session import enclosed_session

            self._session = self._stack.enter_context(enclosed_session(self.connection))
        return self._session

    def complete(self, completion: Completion) -> bool:
        """Take the result and commit; False, and nothing is kept, if the task is another attempt's or its run is over.

        :raises PgflowError: if the handler has closed the connection.
        :raises psycopg.OperationalError: if the connection was lost, which leaves open whether this was committed.
        :raises Exception: whatever the session or the database has against what was written.
        """
        if self.connection.closed and not self.connection.broken:
            raise PgflowError("the handler has closed ctx.connection: leave that to the worker")
        if self._session is not None:
            self._session.commit()
        if not self._is_taken(completion):
            self.roll_back()
            return False
        self._stack.close()
        return True

    def _is_taken(self, completion: Completion) -> bool:
        return not BorrowedCalls(self.connection).complete_tasks([completion])

    def roll_back(self) -> None:
        """Undo everything; idempotent, and it raises nothing that a lost connection has to say."""
        rollback = psycopg.Rollback()
        try:
            self._stack.__exit__(psycopg.Rollback, rollback, None)
        except psycopg.Error:
            # The server has undone it already, or will when it finds nobody at the other end.
            if not self.connection.closed:
                raise

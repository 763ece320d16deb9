"""The engine over one connection of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from pgflow.engine.borrowed import borrow
from pgflow.engine.calls import EngineCalls, Rows
from pgflow.engine.transaction import TaskTransaction
from pgflow.errors import PgflowError, RunNotCommittedError

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow.abc import RunObserver, Subscription

__all__ = ["BorrowedConnector"]


class BorrowedConnector(EngineCalls):
    """The engine over one connection of the caller's: inside its transaction, and with no thread.

    A run can be started, worked and read on it, and not followed: nothing that happens in an open transaction is
    announced to anybody.
    """

    def __init__(self, connection: object) -> None:
        self._borrowed = borrow(connection)

    def _fetch(self, statement: str, parameters: Mapping[str, Any], connection: Any = None) -> Rows:
        borrowed = self._borrowed if connection is None else borrow(connection)
        return borrowed.fetch(statement, parameters)

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        """Open a handler's transaction inside the caller's, as a savepoint of it where that is open."""
        return TaskTransaction(nullcontext(self._borrowed.driver), seconds)

    def subscribe(self, run_id: UUID, observer: RunObserver) -> Subscription:
        """Refuse: what happens in an open transaction is announced to nobody, and there is no thread to hear it.

        :raises RunNotCommittedError: the connection's transaction is open.
        :raises PgflowError: it is not, and another client would hear of the run.
        """
        if self._borrowed.in_transaction():
            raise RunNotCommittedError(run_id)
        raise PgflowError(f"run {run_id} cannot be followed on a borrowed connection: use FlowClient(dsn).get_run")

    def close(self) -> None:
        """Do nothing: the connection is the caller's."""

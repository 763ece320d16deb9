"""The engine over one connection of the caller's."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from pgflow.engine.borrowed import BorrowedCalls
from pgflow.engine.transaction import TaskTransaction
from pgflow.errors import PgflowError, RunNotCommittedError

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow.abc import RunObserver, Subscription

__all__ = ["BorrowedConnector"]


class BorrowedConnector(BorrowedCalls):
    """The engine over one connection of the caller's: inside its transaction, and with no thread.

    A run can be started, worked and read on it, and not followed: nothing that happens in an open transaction is
    announced to anybody.
    """

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        """Open a handler's transaction inside the caller's, as a savepoint of it where that is open."""
        return TaskTransaction(nullcontext(self._borrowed.driver), seconds)

    def subscribe(self, run_id: UUID, observer: RunObserver) -> Subscription:
        """Refuse: what happens in an open transaction is announced to nobody, and there is no thread to hear it.

        :raises RunNotCommittedError: the connection's transaction is open.
        :raises PgflowError: it is not, and another client would hear of the run.
        """
        if self._borrowed.in_transaction():
            raise RunNotCommittedError(run_id, self._borrowed.advice)
        raise PgflowError(f"run {run_id} cannot be followed on a borrowed connection: use FlowClient(dsn).get_run")

    def close(self) -> None:
        """Do nothing: the connection is the caller's."""

"""`PsycopgConnector`: the engine over psycopg, for the client and for the worker."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pgflow import dsn as dsns
from pgflow.abc import RunObserver, Subscription
from pgflow.engine import statements
from pgflow.engine.borrowed import borrow
from pgflow.engine.calls import EngineCalls, Rows
from pgflow.engine.pool import Pool, connect
from pgflow.engine.transaction import TaskTransaction
from pgflow.errors import ClientClosedError
from pgflow.listener import Listener

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["PsycopgConnector"]

# The listener's thread is not kept waiting for a connection when all are busy; it asks again.
_NOTIFY_TIMEOUT = 0.2
_MOST_HANDLERS = 1_000

#: What each thread of a worker says has a session of its own. A pool lends its connections in turn, and a session that
#: is asked everything now and then has neither plans nor memory at hand; and leases wait for nobody.
_LANES = {
    "pgflow claims": (statements.CLAIM_TASKS, statements.SLEEP_ON_QUEUES),
    "pgflow reports": (statements.COMPLETE_TASKS, statements.FAIL_TASKS),
    "pgflow leases": (statements.EXTEND_LEASES, statements.HEARTBEAT_WORKER),
}


class PsycopgConnector(EngineCalls):
    """Calls the engine on pooled connections, and owns the listener. Safe in many threads, and across a fork.

    Nothing is opened before the first call. ``dsn`` is described in `pgflow.dsn`; None means ``PGFLOW_DSN``.

    ``listen_dsn`` names a direct connection for the listener where ``dsn`` leads through a pooler that LISTEN does not
    get through. ``pool_size`` is the most connections of the pool, and ``pool_timeout`` the seconds to wait for a free
    one; the listener has one more. ``prepare_threshold`` is psycopg's. Behind a pooler nothing is prepared whatever it
    says, and the role's ``statement_timeout`` is left as it is; None has the same effect where a pooler is not noticed.
    ``lane_size`` is the most connections of each kind that only workers have: for claims, reports and leases. One is
    enough for a worker; None is ``pool_size``, for a connector that many share.
    ``linger``, ``check_interval`` and ``reconnect_timeout`` are the listener's, in seconds.
    """

    def __init__(
        self,
        dsn: str | URL | None = None,
        *,
        listen_dsn: str | URL | None = None,
        pool_size: int = 10,
        pool_timeout: float = 30.0,
        prepare_threshold: int | None = 5,
        lane_size: int | None = None,
        linger: float = 30.0,
        check_interval: float = 5.0,
        reconnect_timeout: float = 300.0,
    ) -> None:
        resolved = dsns.resolve(dsn)
        self._shown = dsns.redacted(resolved)
        self._options = (resolved, pool_size, pool_timeout, prepare_threshold)
        make_pool = partial(Pool, resolved, timeout=pool_timeout, prepare_threshold=prepare_threshold)
        self._pool = make_pool(size=pool_size)
        lanes = [(make_pool(size=lane_size or pool_size, name=name), texts) for name, texts in _LANES.items()]
        self._lanes = {text: pool for pool, texts in lanes for text in texts}
        # As large as it needs to be: no more handlers run than their worker lets.
        self._task_pool = make_pool(size=_MOST_HANDLERS, name="pgflow handler")
        pools = [self._pool, self._task_pool, *(pool for pool, _ in lanes)]
        self._listener = Listener(
            partial(
                connect,
                resolved if listen_dsn is None else dsns.resolve(listen_dsn),
                name="pgflow listener",
                prepare_threshold=prepare_threshold if listen_dsn is None else 5,
            ),
            partial(_notify, self._pool),
            linger=linger,
            check_interval=check_interval,
            reconnect_timeout=reconnect_timeout,
        )
        # When it is dropped without a close, and at the interpreter's exit, there is nobody left to be told.
        self._finalizer = weakref.finalize(self, _close, pools, self._listener, silently=True)
        self._pools = pools

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shown!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # What is unpickled is the other process's own: one for all that comes from here, with its own connections.
        return _connector_here, self._options

    def _fetch(self, statement: str, parameters: Mapping[str, Any], connection: Any = None) -> Rows:
        if connection is not None:
            return borrow(connection).fetch(statement, parameters)
        with self._lanes.get(statement, self._pool).connection() as own:
            return own.execute(statement.encode(), parameters).fetchall()

    def _fetch_all(self, statement: str, batches: Sequence[Mapping[str, Any]], connection: Any = None) -> Rows:
        if connection is not None or len(batches) < 2:
            return super()._fetch_all(statement, batches, connection)
        with self._pool.connection() as own, own.transaction():
            return [row for parameters in batches for row in own.execute(statement.encode(), parameters).fetchall()]

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        """Open a transaction for a handler that has so many seconds left, on a connection of its own."""
        return TaskTransaction(self._task_pool.connection(seconds), seconds)

    def subscribe(self, run_id: UUID, observer: RunObserver) -> Subscription:
        """Watch a run: its snapshot first, then every event after it, until the subscription is cancelled."""
        self._require_open()
        return self._listener.subscribe(run_id, observer)

    def listen_on_queues(self, flow_slugs: Sequence[str], wake: Callable[[], None]) -> Subscription:
        """Call ``wake`` from a background thread whenever one of the queues is notified, and after a reconnect."""
        self._require_open()
        return self._listener.listen_on_queues(flow_slugs, wake)

    def _require_open(self) -> None:
        if not self._finalizer.alive:
            raise ClientClosedError("the client is closed: make another one")

    def close(self) -> None:
        """Close every connection and end the listener; who still waits is told. Idempotent and final."""
        if self._finalizer.detach():
            _close(self._pools, self._listener, silently=False)


def _notify(pool: Pool, channel: str) -> None:
    with pool.connection(_NOTIFY_TIMEOUT) as connection:
        connection.execute(statements.NOTIFY.encode(), {"channel": channel})


def _close(pools: Iterable[Pool], listener: Listener, *, silently: bool) -> None:
    listener.stop(silently=silently)
    for pool in pools:
        pool.close()


@cache
def _connector_here(dsn: str, pool_size: int, pool_timeout: float, prepare_threshold: int | None) -> PsycopgConnector:
    return PsycopgConnector(dsn, pool_size=pool_size, pool_timeout=pool_timeout, prepare_threshold=prepare_threshold)

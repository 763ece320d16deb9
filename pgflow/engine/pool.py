"""Connections of our own: opened at first use, checked against the schema, and made anew in a forked child."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from pgflow._fork import forget_after_fork, keep
from pgflow.dsn import redacted
from pgflow.engine import statements
from pgflow.engine.compatibility import oldest_code
from pgflow.errors import ClientClosedError
from pgflow.schema.revision import require_revision

__all__ = ["Connection", "Pool", "connect", "session_options", "settle"]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# What a connection has unless its DSN says otherwise: nobody waits for ever for a host that does not answer.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

#: For how long the pool tries to replace a connection; beyond that the next caller tries again, and not a pause that
#: has grown long.
_RECONNECT_SECONDS = 5.0
#: After how long a caller who waits is such a next one.
_ASK_AGAIN_SECONDS = 1.0


def session_options(dsn: str, *, name: str, prepare_threshold: int | None) -> dict[str, Any]:
    """Return the keywords of ``psycopg.connect`` for a session of ours on a DSN."""
    given = conninfo_to_dict(dsn)
    options: dict[str, Any] = {key: value for key, value in _DEFAULTS.items() if key not in given}
    if "PGCONNECT_TIMEOUT" in os.environ:
        options.pop("connect_timeout", None)
    return options | {
        "autocommit": True,
        "client_encoding": "utf8",
        "fallback_application_name": name,
        "prepare_threshold": prepare_threshold,
    }


def connect(dsn: str, *, name: str, prepare_threshold: int | None) -> Connection:
    """Return a new autocommit connection, as `settle` leaves it."""
    connection: Connection = psycopg.connect(
        dsn, **session_options(dsn, name=name, prepare_threshold=prepare_threshold)
    )
    try:
        settle(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def settle(connection: Connection) -> None:
    """Give a new connection what lasts: no ``statement_timeout``, and READ COMMITTED, on a session that is its own.

    A pooler such as PgBouncer in transaction mode lends a session for a transaction. What is prepared or set there is
    missing in our next transaction and found in somebody else's, so that nothing is: ``prepare_threshold`` is None
    then, and where it was None from the start the session is taken for one that is lent. A pooler is known by the
    process id that it makes up when a client connects, for it has no session to announce yet.
    """
    is_shared = connection.prepare_threshold is None
    row = connection.execute(
        statements.SETTLE.encode(), {"pid": connection.pgconn.backend_pid, "is_shared": is_shared}
    ).fetchone()
    if row is not None and row[0]:
        connection.prepare_threshold = None


class Pool:
    """A psycopg pool that opens nothing before it is needed and does not mind a fork.

    The first use connects once in the caller, so that an unreachable server is the server's own error at once, and
    looks whether the schema is one that this code works with.
    """

    def __init__(
        self, dsn: str, *, size: int, timeout: float, prepare_threshold: int | None, name: str = "pgflow"
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._size = size
        self._timeout = timeout
        self._prepare_threshold = prepare_threshold
        self._is_closed = False
        self._begin_afresh()
        forget_after_fork(self)

    def _begin_afresh(self) -> None:
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None

    def after_fork(self) -> None:
        """Leave the connections to the parent."""
        keep(self._pool)
        self._begin_afresh()

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection]:
        """Lend an autocommit connection; ``timeout`` is how many seconds to wait for a free one.

        :raises SchemaError: the database is not at the revision that this code needs.
        """
        pool = self._pool or self._open()
        connection = _living(pool, pool.timeout if timeout is None else timeout)
        try:
            with connection:
                yield connection
        finally:
            # Here and not as the pool's own ``reset``, for which every connection would go through another thread.
            _make_plain(connection)
            pool.putconn(connection)

    def _open(self) -> ConnectionPool[Connection]:
        with self._lock:
            if self._is_closed:
                raise ClientClosedError("the client is closed: make another one")
            if self._pool is None:
                self._check_schema()
                pool = ConnectionPool[Connection](
                    self._dsn,
                    min_size=1,
                    max_size=self._size,
                    timeout=self._timeout,
                    reconnect_timeout=_RECONNECT_SECONDS,
                    kwargs=session_options(self._dsn, name=self._name, prepare_threshold=self._prepare_threshold),
                    configure=settle,
                    name=self._name,
                    open=True,
                )
                # Who asks before the first connection is there would have another one made.
                pool.wait(self._timeout)
                self._pool = pool
            return self._pool

    def _check_schema(self) -> None:
        with connect(self._dsn, name=self._name, prepare_threshold=self._prepare_threshold) as connection:
            try:
                row = connection.execute(statements.SCHEMA_VERSION.encode()).fetchone()
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                row = None
            found = None if row is None else row[0]
            require_revision(found, redacted(self._dsn), lambda: oldest_code(connection))

    def close(self) -> None:
        """Close every connection, those that are lent when they come back; idempotent and final."""
        with self._lock:
            self._is_closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


def _living(pool: ConnectionPool[Connection], timeout: float) -> Connection:
    """Take the first connection that the server has not closed; the pool replaces the others.

    The pool's own ``check`` pauses after each dead one, for twice as long every time: after a restart of the server,
    when all that were idle are dead, that comes to minutes. And where it has given up connecting, those who already
    wait are forgotten, unless somebody asks anew.
    """
    ends = time.monotonic() + timeout
    while True:
        left = ends - time.monotonic()
        try:
            connection = pool.getconn(min(left, _ASK_AGAIN_SECONDS))
        except PoolTimeout:
            if left <= _ASK_AGAIN_SECONDS:
                raise PoolTimeout(f"couldn't get a connection after {timeout:.2f} sec") from None
            continue
        try:
            _check_alive(connection)
        except psycopg.OperationalError:
            pool.putconn(connection)
        except BaseException:
            pool.putconn(connection)
            raise
        else:
            return connection


def _check_alive(connection: Connection) -> None:
    """Raise if the server has closed an idle connection; costs no round trip."""
    # The first read finds what the server said before it closed, the second that it did.
    connection.pgconn.consume_input()
    connection.pgconn.consume_input()


def _make_plain(connection: Connection) -> None:
    """Take back what a handler may have chosen for itself."""
    connection.row_factory = tuple_row
    connection.cursor_factory = psycopg.Cursor

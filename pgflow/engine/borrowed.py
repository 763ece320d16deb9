"""Connections that belong to the caller: a run is started in the caller's own transaction, and goes with it.

Each library has its own way to say a statement so that its transaction knows of it; that is all there is here. Neither
SQLAlchemy nor Django is imported: an object of theirs can only come from a program that has done so.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

import psycopg
from attrs import frozen
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pgflow.engine.calls import EngineCalls, Rows

__all__ = ["Borrowed", "BorrowedCalls", "borrow"]


class Borrowed(Protocol):
    """A connection of the caller's, seen as what the engine's calls need."""

    def fetch(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        """Run one statement in the caller's transaction, beginning it the way the library does."""

    def in_transaction(self) -> bool:
        """Whether a transaction is open, so that nobody else sees yet what was done in it."""

    @property
    def driver(self) -> psycopg.Connection[Any]:
        """The connection below the library, on which its transaction has begun."""

    @property
    def advice(self) -> str | None:
        """What helps users of the library who wait for a run before they commit, where there is more to say."""


def borrow(connection: object) -> Borrowed:
    """Return the adapter for a psycopg connection, a SQLAlchemy ``Connection`` or ``Session``, or Django's connection.

    :raises TypeError: for anything else, asynchronous connections included.
    """
    if isinstance(connection, psycopg.Connection):
        return _Psycopg(connection)
    if _is_a(connection, "sqlalchemy.engine", "Connection"):
        return _SQLAlchemy(connection)
    if _is_a(connection, "sqlalchemy.orm", "Session"):
        return _Session(connection)
    # Neither of the last two is a connection itself, but stands for one in each thread: that of this one is meant.
    if _is_a(connection, "sqlalchemy.orm", "scoped_session"):
        return _Session(connection())  # type: ignore[operator]
    if _is_a(connection, "django.db.backends.base.base", "BaseDatabaseWrapper"):
        connection_of_django = connection
    elif _is_a(connection, "django.utils.connection", "ConnectionProxy"):
        connection_of_django = connection.cursor.__self__  # type: ignore[attr-defined]
    else:
        connection_of_django = None
    if getattr(connection_of_django, "vendor", None) == "postgresql":
        return _Django(connection_of_django)
    raise TypeError(
        "connection= takes a psycopg connection, a SQLAlchemy Connection or Session, or Django's connection, "
        f"to PostgreSQL; got {type(connection).__module__}.{type(connection).__qualname__}"
    )


def _is_a(value: object, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


@frozen
class _Psycopg:
    connection: psycopg.Connection[Any]

    def fetch(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        # Not connection.cursor(): the owner may have chosen another class of cursors, or other rows.
        with psycopg.Cursor(self.connection, row_factory=tuple_row) as cursor:
            return cursor.execute(statement.encode(), parameters).fetchall()

    def in_transaction(self) -> bool:
        status = self.connection.info.transaction_status
        return status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)

    @property
    def driver(self) -> psycopg.Connection[Any]:
        return self.connection

    advice = None


@frozen
class _SQLAlchemy:
    connection: Any

    def fetch(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        # Through the library, so that it begins its transaction: what is said on the driver's connection before that
        # is in no transaction that its commit() knows of.
        return [tuple(row) for row in self.connection.exec_driver_sql(statement, dict(parameters))]

    def in_transaction(self) -> bool:
        return bool(self.connection.in_transaction())

    @property
    def driver(self) -> psycopg.Connection[Any]:
        return _driver(self.connection.connection.driver_connection)

    advice = None


@frozen
class _Session:
    session: Any

    def fetch(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        return _SQLAlchemy(self.session.connection()).fetch(statement, parameters)

    def in_transaction(self) -> bool:
        return bool(self.session.in_transaction())

    @property
    def driver(self) -> psycopg.Connection[Any]:
        return _SQLAlchemy(self.session.connection()).driver

    advice = None


@frozen
class _Django:
    connection: Any

    def fetch(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return [tuple(row) for row in cursor.fetchall()]

    def in_transaction(self) -> bool:
        return bool(self.connection.in_atomic_block or not self.connection.get_autocommit())

    @property
    def driver(self) -> psycopg.Connection[Any]:
        return _driver(self.connection.connection)

    advice = (
        "With ATOMIC_REQUESTS a whole view is a transaction: decorate it with @transaction.non_atomic_requests. A "
        "TestCase never commits: use pgflow.testing.run_flow there"
    )


def _driver(connection: object) -> psycopg.Connection[Any]:
    if isinstance(connection, psycopg.Connection):
        return connection
    raise TypeError(f"pgflow needs a connection of psycopg 3, got {type(connection).__module__}'s")


class BorrowedCalls(EngineCalls):
    """The engine's functions on one connection of the caller's, inside its transaction."""

    def __init__(self, connection: object) -> None:
        self._borrowed = borrow(connection)

    def _fetch(self, statement: str, parameters: Mapping[str, Any], connection: Any = None) -> Rows:
        borrowed = self._borrowed if connection is None else borrow(connection)
        return borrowed.fetch(statement, parameters)

"""A SQLAlchemy session inside a transaction that belongs to psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

__all__ = ["enclosed_session"]

_enclosing: ContextVar[psycopg.Connection[Any]] = ContextVar("pgflow_enclosing_connection")


class _EnclosedDialect(PGDialect_psycopg):
    """Speaks to a connection whose transaction is begun, ended and closed by somebody else."""

    supports_statement_cache = True

    def on_connect(self) -> None:
        """Add nothing to a connection that is only borrowed."""

    def do_begin(self, dbapi_connection: Any) -> None:
        """Do nothing."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Do nothing."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Do nothing."""

    def do_close(self, dbapi_connection: Any) -> None:
        """Do nothing."""


registry.register("postgresql.pgflow_enclosed", __name__, _EnclosedDialect.__name__)


@contextmanager
def enclosed_session(connection: psycopg.Connection[Any]) -> Iterator[Session]:
    """Lend a session that works in the open transaction of ``connection``.

    Its ``commit`` and ``rollback`` end a savepoint and begin another: nothing they do reaches the transaction itself.
    """
    token = _enclosing.set(connection)
    try:
        bind = _engine(connection.info.host, connection.info.port, connection.info.dbname).connect()
    finally:
        _enclosing.reset(token)
    with bind, bind.begin(), Session(bind=bind, join_transaction_mode="create_savepoint") as session:
        yield session


@lru_cache(maxsize=16)
def _engine(host: str, port: int, dbname: str) -> Engine:
    # One for each database: it learns the server's version when it first connects.
    return create_engine("postgresql+pgflow_enclosed://", creator=_enclosing.get, poolclass=NullPool)

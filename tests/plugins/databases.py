"""Databases for tests: one that is shared and rolled back, a copy for each test that commits, and blank ones.

Every test ends by asking the engine whether what it left behind is sound.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor
from pytest_postgresql.janitor import DatabaseJanitor

from pgflow import migrations

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_numbers = itertools.count(1)


def migrate(*, autocommit: bool, **where: Any) -> None:
    """Make a template of the schema, once for each process that runs tests."""
    migrations.upgrade(make_conninfo(**where))


template = factories.postgresql_noproc(
    depends_on="server", load=[migrate], dbname=f"pgflow_{os.environ['PGFLOW_TEST_RUN']}"
)


@pytest.fixture(scope="session")
def shared_dsn(template: NoopExecutor) -> Iterator[str]:
    """A migrated database for tests that commit nothing."""
    with _database(template, template.template_dbname) as dsn:
        yield dsn


@pytest.fixture
def connection(shared_dsn: str) -> Iterator[Connection]:
    """A connection whose transaction is rolled back in the end; for all that needs no commit and no NOTIFY."""
    with psycopg.connect(shared_dsn) as connection:
        try:
            yield connection
            if connection.info.transaction_status is TransactionStatus.INTRANS:
                _assert_sound(connection)
        finally:
            connection.rollback()


@pytest.fixture
def dsn(template: NoopExecutor) -> Iterator[str]:
    """A migrated database of this test's own."""
    with own_database(template) as dsn:
        yield dsn


@contextmanager
def own_database(template: NoopExecutor) -> Iterator[str]:
    """A migrated database for whoever enters this, for fixtures of another scope than `dsn`."""
    with _database(template, template.template_dbname) as dsn:
        yield dsn
        with psycopg.connect(dsn) as connection:
            _assert_sound(connection)


@pytest.fixture
def connect(dsn: str) -> Iterator[Callable[..., Connection]]:
    """Opens connections to `dsn`, in autocommit mode unless told otherwise, and closes them in the end."""
    opened: list[Connection] = []

    def connect(*, autocommit: bool = True) -> Connection:
        opened.append(psycopg.connect(dsn, autocommit=autocommit))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def database(connect: Callable[..., Connection]) -> Connection:
    """A connection to `dsn`, in autocommit mode."""
    return connect()


@pytest.fixture
def blank_dsn(template: NoopExecutor) -> Iterator[str]:
    """A database with nothing in it."""
    with _database(template, None) as dsn:
        yield dsn


@contextmanager
def _database(executor: NoopExecutor, copy_of: str | None) -> Iterator[str]:
    where: dict[str, Any] = {
        "host": executor.host,
        "port": executor.port,
        "user": executor.user,
        "password": executor.password,
    }
    name = f"{executor.dbname}_{next(_numbers)}"
    with DatabaseJanitor(**where, dbname=name, template_dbname=copy_of, maintenance_dbname=executor.maintenance_dbname):
        yield make_conninfo(**where, dbname=name)


def _assert_sound(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        violations = cursor.execute("select * from pgflow.check_invariants()").fetchall()
    assert violations == [], "this test leaves behind what the engine must never leave"

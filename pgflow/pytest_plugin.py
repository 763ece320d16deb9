"""Fixtures for the tests of applications that use pgflow; pytest finds them once pgflow is installed.

``PGFLOW_TEST_DSN`` names a server where databases may be created; without it an embedded one is started, which needs
the extra ``embedded``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    import psycopg

    from pgflow.testing import DrivenRun

__all__ = ["pgflow_connection", "pgflow_dsn", "pgflow_run"]


@pytest.fixture(scope="session")
def pgflow_dsn() -> Iterator[str]:
    """The DSN of a migrated database that belongs to this test session (under pytest-xdist, to each of its processes).

    It is dropped in the end. Whatever a test commits there, the next one finds.
    """
    from pgflow import migrations

    with _server() as server, _database(server) as dsn:
        migrations.upgrade(dsn)
        yield dsn


@pytest.fixture
def pgflow_connection(pgflow_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection to that database; what is not committed on it is rolled back after the test.

    ``run_flow(flow, input, connection=pgflow_connection)`` so leaves nothing behind.
    """
    import psycopg

    with psycopg.connect(pgflow_dsn) as connection:
        try:
            yield connection
        finally:
            connection.rollback()


@pytest.fixture
def pgflow_run(pgflow_connection: psycopg.Connection[Any]) -> Callable[..., DrivenRun]:
    """`pgflow.testing.run_flow` on ``pgflow_connection``: ``pgflow_run(flow, input)`` leaves nothing behind."""
    from functools import partial

    from pgflow.testing import run_flow

    return partial(run_flow, connection=pgflow_connection)


@contextmanager
def _server() -> Iterator[str]:
    given = os.environ.get("PGFLOW_TEST_DSN")
    if given:
        yield given
        return
    from pgflow.embedded import EmbeddedServer

    # Not below pytest's own folder: that is closed to the system user as which root's server runs.
    with (
        TemporaryDirectory(prefix="pgflow-") as folder,
        EmbeddedServer(folder, settings={"fsync": "off", "full_page_writes": "off"}) as server,
    ):
        yield server.dsn()


@contextmanager
def _database(server: str) -> Iterator[str]:
    import psycopg
    from psycopg.conninfo import make_conninfo
    from psycopg.sql import SQL, Identifier

    from pgflow.dsn import resolve

    server = resolve(server)
    name = f"pgflow_test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))

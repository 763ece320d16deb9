"""Django's own test runner: its databases have the schema, and the client goes there and leaves in time."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pytest_postgresql.executors import NoopExecutor

from tests.integration.django.conftest import environment_on, manage
from tests.plugins.databases import _database


@pytest.fixture
def name(template: NoopExecutor) -> Iterator[str]:
    """The name of the project's database, which is empty and stays so."""
    with _database(template, None) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield connection.info.dbname
        assert connection.execute("select to_regnamespace('pgflow')").fetchone() == (None,)
        leftovers = connection.execute(
            "select datname from pg_database where starts_with(datname, %s)", [f"test_{connection.info.dbname}"]
        )
        for (database,) in leftovers.fetchall():
            connection.execute(SQL("drop database {} with (force)").format(Identifier(database)))


@pytest.mark.parametrize("options", [(), ("--parallel", "2")], ids=["one process", "two processes"])
def test_the_project_s_tests_pass(name: str, options: tuple[str, ...]) -> None:
    done = manage("test", "tests.integration.django.shop.orders.tests", *options, environment=environment_on(name))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 5 tests" in done.stderr


def test_no_database_is_left_behind(name: str) -> None:
    done = manage(
        "test",
        "tests.integration.django.shop.orders.tests.WithCommits",
        "--verbosity",
        "2",
        environment=environment_on(name),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Destroying test database for alias 'default' ('test_{name}')" in done.stdout + done.stderr

"""The project on a database of the test's own, as it is during a test of Django's own runner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from psycopg.conninfo import conninfo_to_dict
from pytest_postgresql.executors import NoopExecutor

from tests.plugins import django_project
from tests.plugins.databases import _assert_sound, _database

Manage: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]

django_project.set_up()


def point_at(dsn: str) -> None:
    """Have Django's connections, and with them the client, go to another database, as Django's test runner does."""
    connections.close_all()
    where = conninfo_to_dict(dsn)
    keywords = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    # What has been read from the environment may be older than the server of this run.
    connections.settings["default"].update({key: where[word] for key, word in keywords.items() if where.get(word)})


@pytest.fixture(scope="session")
def shop_template(template: NoopExecutor) -> Iterator[str]:
    """The name of a database with the project's own tables, to be copied."""
    with _database(template, template.template_dbname) as dsn:
        original = connections.settings["default"]["NAME"]
        point_at(dsn)
        call_command("migrate", verbosity=0)
        point_at(f"dbname={original}")
        yield str(conninfo_to_dict(dsn)["dbname"])


@pytest.fixture
def dsn(template: NoopExecutor, shop_template: str) -> Iterator[str]:
    """A database with pgflow's schema and the project's tables; the project of this process is on it."""
    original = connections.settings["default"]["NAME"]
    with _database(template, shop_template) as dsn:
        point_at(dsn)
        try:
            yield dsn
        finally:
            leave()
            point_at(f"dbname={original}")
        with psycopg.connect(dsn) as connection:
            _assert_sound(connection)


def leave() -> None:
    """Close the client of this process."""
    from pgflow.contrib.django.client import _current

    _current.close()


@pytest.fixture
def environment(dsn: str) -> dict[str, str]:
    """The environment of a process of the project on `dsn`."""
    return environment_on(str(conninfo_to_dict(dsn)["dbname"]))


def environment_on(database: str, **variables: str) -> dict[str, str]:
    """The environment of a process of the project on a database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": django_project.SETTINGS,
        "PYTHONPATH": str(django_project.ROOT),
        "SHOP_DATABASE": database,
        **variables,
    }


def manage(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` to its end, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(django_project.MANAGE), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

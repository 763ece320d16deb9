"""The schema comes with ``manage.py migrate``, into the one database that it belongs to."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pgflow import migrations
from tests.integration.django.conftest import environment_on, manage


@pytest.fixture
def name(blank_dsn: str) -> str:
    return str(conninfo_to_dict(blank_dsn)["dbname"])


def revision(dsn: str) -> str | None:
    with psycopg.connect(dsn) as connection:
        return migrations.current(connection)


def test_it_is_installed_with_everything_else_and_once(name: str, blank_dsn: str) -> None:
    first = manage("migrate", environment=environment_on(name))
    assert first.returncode == 0, first.stderr
    assert f"  pgflow: the database is at revision {migrations.head()}" in first.stdout
    assert revision(blank_dsn) == migrations.head()

    second = manage("migrate", environment=environment_on(name))
    assert second.returncode == 0, second.stderr
    assert "pgflow:" not in second.stdout


def test_a_plan_changes_nothing(name: str, blank_dsn: str) -> None:
    done = manage("migrate", "--plan", environment=environment_on(name))

    assert done.returncode == 0, done.stderr
    assert revision(blank_dsn) is None


def test_another_database_is_left_alone(name: str, blank_dsn: str) -> None:
    done = manage("migrate", "--database", "archive", environment=environment_on(name))

    assert done.returncode == 0, done.stderr
    assert revision(blank_dsn) is None


def test_a_project_that_says_so_migrates_by_hand(name: str, blank_dsn: str) -> None:
    environment = environment_on(name, SHOP_PGFLOW_MIGRATE="no")
    assert manage("migrate", environment=environment).returncode == 0
    assert revision(blank_dsn) is None

    assert manage("pgflow_migrate", environment=environment).returncode == 0
    assert revision(blank_dsn) == migrations.head()


def test_the_application_has_no_migrations_of_django_s(name: str) -> None:
    done = manage("makemigrations", "--check", environment=environment_on(name))

    assert done.stdout == "No changes detected\n"
    assert done.returncode == 0, done.stderr


def test_a_database_of_a_newer_pgflow_is_left_alone(name: str, blank_dsn: str) -> None:
    environment = environment_on(name)
    manage("migrate", environment=environment)
    with psycopg.connect(blank_dsn) as connection:
        connection.execute("update pgflow.alembic_version set version_num = '9999_later'")
    done = manage("migrate", environment=environment)

    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: pgflow: ")
    assert "9999_later" in done.stderr
    assert revision(blank_dsn) == "9999_later"


def test_a_database_that_cannot_be_used_is_said_before_anything_is_done() -> None:
    done = manage("migrate", environment=environment_on(":memory:", SHOP_ENGINE="django.db.backends.sqlite3"))

    assert done.returncode == 1
    assert "(pgflow.E001) pgflow needs PostgreSQL, and DATABASES['default'] is SQLite" in done.stderr

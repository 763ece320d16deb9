"""Each revision steps down and up again, and leaves nothing behind at the base."""

from __future__ import annotations

import io
import itertools

import psycopg
import pytest

from pgflow import migrations
from tests.migrations.catalog import catalog

REVISIONS = migrations.revisions()


@pytest.mark.parametrize(("older", "newer"), list(itertools.pairwise(["base", *REVISIONS])))
def test_a_revision_steps_down_to_the_one_before_and_up_again(blank_dsn: str, older: str, newer: str) -> None:
    if older != "base":
        migrations.upgrade(blank_dsn, older)
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        before = catalog(connection)
        migrations.upgrade(blank_dsn, newer)
        after = catalog(connection)
        assert after != before

        migrations.downgrade(blank_dsn, older)
        assert catalog(connection) == before

        migrations.upgrade(blank_dsn, newer)
        assert catalog(connection) == after


def test_at_the_base_nothing_is_left(blank_dsn: str) -> None:
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        schemas = "select nspname from pg_namespace where nspname !~ '^pg_(toast_)?temp' order by 1"
        before = connection.execute(schemas).fetchall()
        migrations.upgrade(blank_dsn)
        migrations.downgrade(blank_dsn, "base")
        assert connection.execute(schemas).fetchall() == before
        assert migrations.current(connection) is None


def test_upgrading_twice_changes_nothing(blank_dsn: str) -> None:
    migrations.upgrade(blank_dsn)
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        before = catalog(connection)
        migrations.upgrade(blank_dsn)
        assert catalog(connection) == before


def test_a_script_for_psql_makes_the_same_schema(dsn: str, blank_dsn: str) -> None:
    script = io.StringIO()
    migrations.write_sql(script)
    with psycopg.connect(blank_dsn, autocommit=True) as written, psycopg.connect(dsn) as migrated:
        written.execute(script.getvalue())
        assert catalog(written) == catalog(migrated)
        migrations.check(written)


def test_a_script_for_psql_steps_down_to_nothing(blank_dsn: str) -> None:
    migrations.upgrade(blank_dsn)
    script = io.StringIO()
    migrations.write_sql(script, f"{migrations.head()}:base", downgrade=True)
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        connection.execute(script.getvalue())
        left = connection.execute("select to_regnamespace('pgflow'), to_regnamespace('pgmq')").fetchone()
    assert left == (None, None)

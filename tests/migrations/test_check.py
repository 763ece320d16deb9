"""A database at another revision is refused in one sentence that says what to run."""

from __future__ import annotations

import psycopg
import pytest

from pgflow import migrations
from pgflow.errors import SchemaMissingError, SchemaTooNewError, SchemaTooOldError
from pgflow.schema import revision
from tests.plugins.databases import Connection


def test_the_head_is_accepted(connection: Connection) -> None:
    migrations.check(connection)
    assert migrations.current(connection) == migrations.head()


def test_the_revision_that_this_version_needs_is_the_head() -> None:
    assert migrations.head() == revision.NEEDED


def test_a_blank_database_has_no_schema(blank_dsn: str) -> None:
    with (
        psycopg.connect(blank_dsn) as connection,
        pytest.raises(SchemaMissingError, match=r"^the database \(.+\) has no pgflow schema: run `pgflow migrate`$"),
    ):
        migrations.check(connection)


def test_an_older_revision_is_too_old(connection: Connection) -> None:
    oldest = migrations.revisions()[0]
    connection.execute("update pgflow.alembic_version set version_num = %s", (oldest,))
    with pytest.raises(
        SchemaTooOldError, match=f"at revision {oldest}.*needs {migrations.head()}: run `pgflow migrate`"
    ):
        migrations.check(connection)


def test_a_revision_of_the_future_is_accepted_if_it_works_with_this_code(connection: Connection) -> None:
    connection.execute("update pgflow.alembic_version set version_num = '9999_future'")
    migrations.check(connection)


NEEDS_THE_FUTURE = """
create or replace function pgflow.oldest_code() returns text language sql as $$ select '9999_future' $$
"""


def test_a_revision_of_the_future_that_needs_newer_code_is_too_new(connection: Connection) -> None:
    connection.execute("update pgflow.alembic_version set version_num = '9999_future'")
    connection.execute(NEEDS_THE_FUTURE)
    with pytest.raises(SchemaTooNewError, match=r"9999_future, this version.*pip install --upgrade pgflow-sdk"):
        migrations.check(connection)

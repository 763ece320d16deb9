"""pgmq is brought where there is none, left alone where there is one, and taken away only by who brought it."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy
from pgmq.install import get_embedded_install_sql

from pgflow import migrations
from tests.plugins.databases import Connection


@pytest.fixture
def blank(blank_dsn: str) -> Connection:
    return psycopg.connect(blank_dsn, autocommit=True)


def has_pgmq(connection: Connection) -> bool:
    row = connection.execute("select to_regclass('pgmq.meta') is not null").fetchone()
    return row == (True,)


def test_a_blank_database_gets_pgmq_and_loses_it_again(blank: Connection, blank_dsn: str) -> None:
    with blank:
        migrations.upgrade(blank_dsn)
        assert has_pgmq(blank)
        migrations.downgrade(blank_dsn, "base")
        assert blank.execute("select to_regnamespace('pgmq')").fetchone() == (None,)


def test_a_pgmq_of_the_database_is_left_as_it_is(blank: Connection, blank_dsn: str) -> None:
    with blank:
        blank.execute(get_embedded_install_sql().encode())
        blank.execute("select pgmq.create('theirs')")
        migrations.upgrade(blank_dsn)
        assert blank.execute("select obj_description('pgmq'::regnamespace)").fetchone() == (None,)
        migrations.downgrade(blank_dsn, "base")
        assert blank.execute("select queue_name from pgmq.meta").fetchall() == [("theirs",)]


def test_a_pgmq_of_ours_stays_while_others_have_queues_in_it(blank: Connection, blank_dsn: str) -> None:
    with blank:
        migrations.upgrade(blank_dsn)
        blank.execute("select pgmq.create('theirs')")
        migrations.downgrade(blank_dsn, "base")
        assert blank.execute("select queue_name from pgmq.meta").fetchall() == [("theirs",)]

        migrations.upgrade(blank_dsn)
        blank.execute("select pgmq.drop_queue('theirs')")
        migrations.downgrade(blank_dsn, "base")
        assert not has_pgmq(blank)


def test_a_pgmq_that_is_too_old_is_refused_by_naming_what_it_lacks(blank: Connection, blank_dsn: str) -> None:
    with blank:
        blank.execute(get_embedded_install_sql().encode())
        blank.execute("drop function pgmq.send_batch(text, jsonb[], integer)")
        with pytest.raises(sqlalchemy.exc.DBAPIError, match=r"lacks pgmq.send_batch\(text, jsonb\[\], integer\)"):
            migrations.upgrade(blank_dsn)
        assert migrations.current(blank) is None

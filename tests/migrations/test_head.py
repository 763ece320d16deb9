"""The newest revision and the present in alembic/functions/ are the same."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config

from pgflow import migrations
from tests.migrations.catalog import functions
from tests.plugins.databases import Connection

FUNCTIONS = migrations.script_location() / "functions"


def load_all(connection: Connection) -> None:
    connection.execute("set local check_function_bodies = off")
    for path in sorted(FUNCTIONS.glob("*.sql")):
        connection.execute(path.read_text(encoding="utf-8"))


def drop_all(connection: Connection) -> None:
    # A constraint or a default holds on to some functions, so the tables' use of them is given up too.
    for signature in functions(connection):
        connection.execute(f"drop function if exists {signature} cascade")


def test_the_head_has_exactly_the_functions_of_the_present(blank_dsn: str) -> None:
    migrations.upgrade(blank_dsn)
    with psycopg.connect(blank_dsn) as connection:
        migrated = functions(connection)
        drop_all(connection)
        load_all(connection)
        loaded = functions(connection)
        connection.rollback()
    assert migrated == loaded, "alembic/functions/ has changed: make freeze REV=…"


@pytest.mark.skipif(
    sqlalchemy.__version__ < "2.1", reason="an older SQLAlchemy takes the schema pgflow for one of PostgreSQL's own"
)
def test_sqlalchemy_tables_mirror_the_schema(dsn: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.script_location()))
    with migrations.open_connection(dsn) as connection:
        config.attributes["connection"] = connection
        command.check(config)

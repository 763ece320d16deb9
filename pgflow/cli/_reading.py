"""A connection for commands that only look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg

from pgflow import migrations
from pgflow.dsn import resolve
from pgflow.engine.pool import Connection, connect

__all__ = ["reading"]


@contextmanager
def reading(dsn: str | None) -> Iterator[Connection]:
    """Lend a connection on which nothing can be written, to a database whose schema is the one we know."""
    with connect(resolve(dsn), name="pgflow inspection", prepare_threshold=None) as connection:
        connection.read_only = True
        migrations.check(connection)
        try:
            yield connection
        except psycopg.errors.InsufficientPrivilege as error:
            raise click.ClickException(
                f"{error.diag.message_primary}: to look into the database a role needs pg_read_all_data, and EXECUTE "
                "on pgflow.get_workers()"
            ) from error

"""A connection for commands that only look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import click
import psycopg

from pgflow import migrations
from pgflow.dsn import resolve
from pgflow.engine.pool import Connection, connect

__all__ = ["as_json", "reading"]


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


def as_json(value: Any) -> str:
    """Return rows as JSON: times as ISO 8601, ids as text."""
    return json.dumps(value, ensure_ascii=False, default=_text)


def _text(value: UUID | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)

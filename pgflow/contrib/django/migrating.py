"""The schema beside the project's own: ``manage.py migrate``, and so every test database, brings it along."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError

from pgflow.contrib.django import conf
from pgflow.errors import PgflowError

__all__ = ["install_schema"]


def install_schema(*, using: str, verbosity: int = 1, stdout: Any = None, **kwargs: Any) -> None:
    """Bring the schema to the newest revision, in the database that holds it; a receiver of ``post_migrate``.

    Django sends that after ``migrate``, but not with ``--plan`` or ``--check``, and after ``flush``.

    :raises CommandError: it cannot, because the database is at a revision of a newer pgflow for instance.
    """
    configuration = conf.configuration()
    if using != configuration.database or not configuration.migrate:
        return
    from pgflow import migrations

    connection = conf.database()
    connection.ensure_connection()
    if migrations.current(connection.connection) == migrations.head():
        return
    try:
        migrations.upgrade(connection.connection)
    except PgflowError as error:
        raise CommandError(f"pgflow: {error}") from error
    if verbosity >= 1 and stdout is not None:
        stdout.write(f"  pgflow: the database is at revision {migrations.head()}\n")

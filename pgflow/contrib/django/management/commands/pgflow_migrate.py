"""``manage.py pgflow_migrate``: the schema's revisions."""

from __future__ import annotations

from contextlib import redirect_stdout
from typing import Any

from pgflow.cli.migrate import migrate
from pgflow.contrib.django.conf import django_dsn
from pgflow.contrib.django.management.command import PgflowCommand

__all__ = ["Command"]


class Command(PgflowCommand):
    """``pgflow migrate`` on the project's database."""

    help = "Installs pgflow's schema, or takes it to another revision; `migrate` does the first unless told otherwise."
    command = migrate

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it."""
        assert migrate.callback is not None  # noqa: S101  every command has one
        # Not to Django's own wrapper, which ends each thing that is written with a line break.
        output: Any = self.stdout._out
        with redirect_stdout(output):
            migrate.callback(dsn=django_dsn(), **self.options_of(options))

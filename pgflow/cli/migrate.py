"""``pgflow migrate``: the schema's revisions from the command line."""

from __future__ import annotations

import sys
from typing import Any

import click

from pgflow.cli import dsn_option

__all__ = ["migrate"]


@click.command()
@dsn_option
@click.option("--revision", metavar="REVISION", help="Upgrade to this revision; the newest unless one is named.")
@click.option(
    "--downgrade",
    "downgrade_to",
    metavar="REVISION",
    help='Go back to this revision; "base" removes the schema with all runs. Refused while fan-out flows are defined.',
)
@click.option("--sql", is_flag=True, help="Print a script for psql instead; needs no database. Ranges are FROM:TO.")
@click.option("--status", is_flag=True, help="Say where the database stands; exit status 1 if that is not the head.")
def migrate(dsn: str | None, revision: str | None, downgrade_to: str | None, sql: bool, status: bool) -> None:
    """Install the schema, or take it to another revision.

    Nothing happens to a database that is there already, and any number of these may run at once.
    """
    from pgflow import migrations

    if revision is not None and downgrade_to is not None:
        raise click.UsageError("--revision goes up and --downgrade goes down: give one of them")
    if status and (sql or revision or downgrade_to):
        raise click.UsageError("--status changes nothing and goes with no other option but --dsn")
    if sql:
        migrations.write_sql(sys.stdout, downgrade_to or revision or "head", downgrade=downgrade_to is not None)
    elif status:
        _print_status(dsn)
    else:
        with migrations.open_connection(dsn) as connection, connection.begin():
            if downgrade_to is None:
                migrations.upgrade(connection, revision or "head")
            else:
                migrations.downgrade(connection, downgrade_to)
            driver: Any = connection.connection.driver_connection
            at = migrations.current(driver)
        click.echo(f"the database is at revision {at}" if at else "the database has no pgflow schema any more")


def _print_status(dsn: str | None) -> None:
    import psycopg

    from pgflow import migrations
    from pgflow.dsn import resolve

    with psycopg.connect(resolve(dsn)) as connection:
        at = migrations.current(connection)
        click.echo(f"database: {at or 'no schema'}; this version of pgflow: {migrations.head()}")
        migrations.check(connection)

"""How revisions run: on a given connection, on the database of ``PGFLOW_DSN``, or as a script.

Everything happens in one transaction, so a first upgrade is whole or has not happened, and behind one lock, so any
number of processes may start at once. No logging is configured: that is the application's.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from alembic import context

from pgflow import migrations
from pgflow.schema.tables import metadata

# The version table lives in our schema, so the schema has to be there before Alembic looks for it. "create schema if
# not exists" would ask for a privilege that is not needed where somebody else has created it.
PREPARE = f"""
select pg_advisory_xact_lock(hashtextextended('{migrations.SCHEMA}.alembic_version', 0));
do $$
begin
  if to_regnamespace('{migrations.SCHEMA}') is null then
    create schema {migrations.SCHEMA};
  end if;
end
$$;
"""

# At the base nothing of ours is left, unless others have put something into the schema or own it.
CLEAN_UP = f"""
drop table if exists {migrations.SCHEMA}.alembic_version;
do $$
begin
  drop schema {migrations.SCHEMA};
exception
  when dependent_objects_still_exist or insufficient_privilege then null;
end
$$;
"""


def execute(script: str) -> None:
    """Run statements, none of whose colons is a parameter."""
    context.execute(sqlalchemy.text(script.strip().removesuffix(";").replace(":", r"\:")))


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Keep autogenerate to our schema: a database is shared with the application's own tables."""
    return kind != "schema" or name == migrations.SCHEMA


def configure(**options: Any) -> None:
    """Configure Alembic alike for every way of running."""
    context.configure(
        target_metadata=metadata,
        version_table_schema=migrations.SCHEMA,
        include_schemas=True,
        include_name=is_ours,
        **options,
    )


def run_offline() -> None:
    """Write a script. The paramstyle matters: any other prints every % twice."""
    configure(dialect_name="postgresql", dialect_opts={"paramstyle": "named"}, as_sql=True)
    with context.begin_transaction():
        execute(PREPARE)
        context.run_migrations()
        if context.get_revision_argument() is None:
            execute(CLEAN_UP)


def run_online(connection: sqlalchemy.Connection) -> None:
    """Run on a connection; commits unless its owner has begun a transaction."""
    configure(connection=connection)
    with context.begin_transaction():
        execute(PREPARE)
        context.run_migrations()
        if not context.get_context().get_current_heads():
            execute(CLEAN_UP)


if context.is_offline_mode():
    run_offline()
elif (given := context.config.attributes.get("connection")) is not None:
    run_online(given)
else:
    with migrations.open_connection(None) as opened:
        run_online(opened)

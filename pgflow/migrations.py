"""The schema's revisions: applying them, asking where a database stands, and what revisions are made of.

A host application calls `upgrade` from a migration of its own, or runs ``pgflow migrate``; a worker and a client call
`check` before they rely on the schema. `hold_tables`, `run_sql`, `drop_functions`, `install_pgmq` and `uninstall_pgmq`
are for the revisions, and as frozen as those: what a released revision calls keeps its meaning.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from pgflow.engine.statements import SCHEMA_VERSION

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy
    from alembic.config import Config

    Target: TypeAlias = str | sqlalchemy.URL | psycopg.Connection[Any] | sqlalchemy.Connection | None

__all__ = [
    "SCHEMA",
    "check",
    "current",
    "downgrade",
    "drop_functions",
    "head",
    "hold_tables",
    "install_pgmq",
    "open_connection",
    "revisions",
    "run_sql",
    "script_location",
    "uninstall_pgmq",
    "upgrade",
    "write_sql",
]

SCHEMA = "pgflow"
"""The schema of every table of ours, and of Alembic's version table."""

_alembic_is_global = threading.RLock()
"""``alembic.op`` and ``alembic.context`` are one for the process."""


def script_location() -> Path:
    """The folder of ``env.py`` and the revisions.

    In a checkout that is ``alembic/`` beside the package, also where an editable install has left a copy elsewhere; in
    a wheel it is ``pgflow/_alembic``.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parent / "alembic"
    if (checkout / "env.py").exists() and (package.parent / "pyproject.toml").exists():
        return checkout
    return package / "_alembic"


def revisions() -> list[str]:
    """Every revision that this version of pgflow knows, oldest first."""
    return sorted(path.stem for path in (script_location() / "versions").glob("[0-9]*.py"))


def head() -> str:
    """The revision that this version of pgflow works with."""
    return revisions()[-1]


def upgrade(target: Target, revision: str = "head") -> None:
    """Bring a database to a revision, by default the newest; nothing happens if it is there already.

    :param target: a DSN, None for ``PGFLOW_DSN``; or a connection, whose transaction takes the changes in and whose
        owner commits them. That of a host's own Alembic revision is ``op.get_bind()``. On a psycopg connection in
        autocommit mode they are committed at once.
    """
    from alembic import command

    with _configured(target) as config:
        command.upgrade(config, revision)


def downgrade(target: Target, revision: str) -> None:
    """Take a database back to a revision, ``"base"`` for none; the counterpart of `upgrade`."""
    from alembic import command

    with _configured(target) as config:
        command.downgrade(config, revision)


def write_sql(output: TextIO, revision: str = "head", *, downgrade: bool = False) -> None:
    """Write what `upgrade` would run as a script for psql, without a database.

    :param revision: a revision to upgrade to from nothing, or a range ``from:to``; a downgrade needs a range.
    """
    from alembic import command

    with _alembic_is_global:
        config = _config(output_buffer=output)
        if downgrade:
            command.downgrade(config, revision, sql=True)
        else:
            command.upgrade(config, revision, sql=True)


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision of a database, or None if it has no pgflow schema."""
    from psycopg.rows import tuple_row

    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute("select to_regclass('pgflow.alembic_version') is not null").fetchone()
        if found is None or not found[0]:
            return None
        row = cursor.execute(SCHEMA_VERSION).fetchone()
        return None if row is None else str(row[0])


def check(connection: psycopg.Connection[Any]) -> None:
    """Make sure that the database is at a revision this version of pgflow works with.

    :raises SchemaMissingError: the database has no pgflow schema.
    :raises SchemaTooOldError: it is at an older revision.
    :raises SchemaTooNewError: it is at a revision for which this version is too old.
    """
    from pgflow.dsn import redacted
    from pgflow.engine.compatibility import oldest_code
    from pgflow.schema.revision import require_revision

    require_revision(current(connection), redacted(connection.info.dsn), lambda: oldest_code(connection))


@contextmanager
def open_connection(dsn: str | sqlalchemy.URL | None) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection to a DSN in any form that pgflow takes, closed at the end.

    :param dsn: None stands for ``PGFLOW_DSN``.
    :raises DsnError: no DSN was given, or in no form that is known.
    """
    import psycopg

    from pgflow.dsn import resolve

    conninfo = resolve(dsn)
    with _engine(lambda: psycopg.connect(conninfo)).connect() as connection:
        yield connection


def hold_tables() -> None:
    """Have all tables of the schema to oneself until the end of the transaction; the first thing a revision does.

    It waits until nobody is in the middle of anything, and lets others go on while it waits. After a minute it gives up
    with an error that says so.
    """
    from pgflow.schema.locking import HOLD_TABLES

    _execute(HOLD_TABLES)


def run_sql(*paths: Path) -> None:
    """Run files of SQL, each of any number of statements, in a revision.

    Bodies of functions are not checked, so that functions may come in any order.
    """
    _execute("set local check_function_bodies = off")
    for path in paths:
        _execute(path.read_text(encoding="utf-8"))
    _execute("set local check_function_bodies = on")


def drop_functions(*names: str) -> None:
    """Drop functions of the schema, in the order given; a name with a dot is of the schema that it names."""
    for name in names:
        _execute(f"drop function {name if '.' in name else f'{SCHEMA}.{name}'}")


def install_pgmq() -> None:
    """Make sure of a pgmq, in a revision: the database's own, its extension, or the SQL of the ``pgmq`` package."""
    from pgflow.schema.pgmq import install_sql

    _execute(install_sql())


def uninstall_pgmq() -> None:
    """Drop pgmq, in a revision, if `install_pgmq` created it and no queue is left."""
    from pgflow.schema.pgmq import uninstall_sql

    _execute(uninstall_sql())


def _execute(sql: str) -> None:
    """Run SQL through Alembic, online or offline, exactly as it stands: no colon of it starts a parameter."""
    from alembic import op
    from sqlalchemy import text

    op.execute(text(sql.strip().removesuffix(";").replace(":", r"\:")))


def _config(**options: Any) -> Config:
    from alembic.config import Config

    config = Config(**options)
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    return config


@contextmanager
def _configured(target: Target) -> Iterator[Config]:
    """Alembic's configuration on a target, and the host's own Alembic put back in its place afterwards."""
    import alembic.context
    import alembic.op

    with _alembic_is_global, _transaction(target) as connection:
        _refuse_newer(connection)
        hosts = [getattr(module, "_proxy", None) for module in (alembic.op, alembic.context)]
        try:
            yield _config(attributes={"connection": connection})
        finally:
            for proxy in hosts:
                if proxy is not None:
                    proxy._install_proxy()


def _refuse_newer(connection: sqlalchemy.Connection) -> None:
    """Leave a database alone whose revision is not among ours: Alembic would only say that it cannot find it."""
    from pgflow.dsn import redacted
    from pgflow.schema.revision import require_known

    driver: Any = connection.connection.driver_connection
    require_known(current(driver), redacted(driver.info.dsn))


@contextmanager
def _transaction(target: Target) -> Iterator[sqlalchemy.Connection]:
    """A SQLAlchemy connection within a transaction, which is committed here only for a DSN."""
    import psycopg
    import sqlalchemy

    if isinstance(target, sqlalchemy.Connection):
        if not target.in_transaction():
            target.begin()
        yield target
    elif isinstance(target, psycopg.Connection):
        borrowed = _Borrowed(target)
        with (
            target.transaction() if target.autocommit else nullcontext(),
            _engine(lambda: borrowed).connect() as connection,
            connection.begin(),
        ):
            yield connection
    elif target is None or isinstance(target, str | sqlalchemy.URL):
        with open_connection(target) as connection, connection.begin():
            yield connection
    else:
        raise TypeError(
            "a DSN, a psycopg connection or a SQLAlchemy Connection is needed, and this is a "
            f"{type(target).__name__}; for a script (Alembic's offline mode) there is `pgflow migrate --sql`"
        )


def _engine(connect: Any) -> sqlalchemy.Engine:
    import sqlalchemy

    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=connect, poolclass=sqlalchemy.NullPool, use_native_hstore=False
    )


class _Borrowed:
    """A psycopg connection whose transaction and life are somebody else's: SQLAlchemy may only talk through it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Leave the transaction to its owner."""

    def rollback(self) -> None:
        """Leave the transaction to its owner."""

    def close(self) -> None:
        """Leave the connection open."""

"""What a project says of pgflow, and the database it means.

``PGFLOW`` in the project's settings is a dictionary, and every key of it is optional:

- ``DATABASE``: the alias in ``DATABASES`` of the database that holds the schema; ``"default"``.
- ``DSN``, ``LISTEN_DSN``: other ways to that same database than ``DATABASES`` has, for the client and the workers, in
  any form that `pgflow.dsn` describes. The second is for the listener where the first leads through a pooler.
- ``POOL_SIZE``: the most connections of the client's pool in each process; 10.
- ``MIGRATE``: whether ``manage.py migrate`` brings the schema along; True.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import fields_dict, frozen
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from pgflow import dsn as dsns
from pgflow.errors import DsnError

__all__ = [
    "Configuration",
    "configuration",
    "database",
    "django_dsn",
    "dsns_of",
    "is_a_test_database",
    "remember_databases",
]


@frozen
class Configuration:
    """The project's ``PGFLOW``, with what it leaves out."""

    database: str = "default"
    dsn: str | None = None
    listen_dsn: str | None = None
    pool_size: int = 10
    migrate: bool = True


#: The names of databases as the project has them, by alias: tests give them others.
_names: dict[str, Any] = {}


def configuration() -> Configuration:
    """Return what the project says of pgflow.

    :raises ImproperlyConfigured: it says what nobody would understand.
    """
    given = getattr(settings, "PGFLOW", {})
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured(f"PGFLOW must be a dictionary, and is a {type(given).__name__}")
    known = [name.upper() for name in fields_dict(Configuration)]
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ImproperlyConfigured(f"PGFLOW has no setting {unknown[0]!r}; it has {', '.join(known)}")
    configuration = Configuration(**{key.lower(): value for key, value in given.items()})
    size: Any = configuration.pool_size
    if not isinstance(size, int) or size < 1:
        raise ImproperlyConfigured(f"PGFLOW['POOL_SIZE'] must be a number of connections, 1 or more, and not {size!r}")
    return configuration


def database() -> BaseDatabaseWrapper:
    """Return Django's connection to the database that holds the schema.

    :raises ImproperlyConfigured: it is none that pgflow can work with.
    """
    alias = configuration().database
    if alias not in connections.settings:
        raise ImproperlyConfigured(f"PGFLOW['DATABASE'] is {alias!r}, and DATABASES has no such database")
    connection: BaseDatabaseWrapper = connections[alias]
    if connection.vendor != "postgresql":
        raise ImproperlyConfigured(
            f"pgflow needs PostgreSQL, and DATABASES[{alias!r}] is {connection.display_name}: "
            "name another database in PGFLOW['DATABASE']"
        )
    driver = connection.Database.__name__  # type: ignore[attr-defined]
    if driver != "psycopg":
        raise ImproperlyConfigured(
            f"pgflow needs psycopg 3, and DATABASES[{alias!r}] uses {driver}: "
            'install "psycopg[binary]" and take an ENGINE that uses it, such as django.db.backends.postgresql'
        )
    return connection


def remember_databases() -> None:
    """Note the databases' names while they are the project's own: from then on another one is that of a test."""
    for alias, database in connections.settings.items():
        _names.setdefault(alias, database["NAME"])


def is_a_test_database() -> bool:
    """Whether the database is one that was made for tests."""
    alias = configuration().database
    return alias in _names and _names[alias] != connections[alias].settings_dict["NAME"]


def django_dsn() -> str:
    """Return the connection string by which Django goes to the database."""
    connection = database()
    given = connection.get_connection_params()
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    parts = {key: value for key, value in given.items() if key in known}
    role = connection.settings_dict["OPTIONS"].get("assume_role")
    if role:
        escaped = role.replace("\\", "\\\\").replace(" ", "\\ ")
        parts["options"] = f"{parts.get('options', '')} -c role={escaped}".strip()
    return make_conninfo("", **parts)


def dsns_of(given: Configuration) -> tuple[str, str | None]:
    """Return where the client and the workers go, and where their listeners go if that is elsewhere.

    :raises ImproperlyConfigured: a DSN is in no form that is understood, or there is no database for pgflow.
    """
    own = django_dsn()
    return _way(given.dsn, own) or own, _way(given.listen_dsn, own)


def _way(dsn: str | None, own: str) -> str | None:
    if not dsn:
        return None
    try:
        resolved = dsns.resolve(dsn)
    except DsnError as error:
        raise ImproperlyConfigured(f"PGFLOW: {error}") from None
    except AttributeError:
        raise ImproperlyConfigured(f"PGFLOW: a DSN is a text, and not a {type(dsn).__name__}") from None
    if not is_a_test_database():
        return resolved
    # Another way to a test's database, never the way to the project's own.
    return make_conninfo(resolved, dbname=conninfo_to_dict(own)["dbname"])

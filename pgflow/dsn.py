"""Where the database is: the forms of a DSN that are understood, and how one is shown.

A DSN is what libpq takes (a URI, ``key=value`` pairs, or the directory of a unix socket) or a SQLAlchemy URL, whose
``+driver`` is dropped. None stands for the environment variable ``PGFLOW_DSN``. A DSN may hold a password, so that none
is ever part of a message: `redacted` is what may be shown.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from pgflow.errors import DsnError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

__all__ = ["ENVIRONMENT_VARIABLE", "redacted", "resolve"]

ENVIRONMENT_VARIABLE = "PGFLOW_DSN"

_DRIVER = re.compile(r"^(postgres(?:ql)?)\+\w+://")
_URI = re.compile(r"^postgres(?:ql)?://")
_SHOWN = ("host", "hostaddr", "port", "dbname", "user", "service")


def resolve(dsn: str | URL | None = None) -> str:
    """Return a connection string for libpq; `DsnError` if there is none or it has another form."""
    if dsn is None or dsn == "":
        dsn = os.environ.get(ENVIRONMENT_VARIABLE)
    if not dsn:
        raise DsnError(
            f"no database was named: pass a DSN such as postgresql://user@host/database, or set {ENVIRONMENT_VARIABLE}"
        )
    if not isinstance(dsn, str):
        dsn = dsn.render_as_string(hide_password=False)
    dsn = _DRIVER.sub(r"\1://", dsn.strip())
    if dsn.startswith("/"):
        dsn = _key_value({"host": dsn})
    _parsed(dsn)
    return dsn


def redacted(dsn: str) -> str:
    """Return the parts of a connection string that say which database it is, and nothing else of it."""
    parts = _parsed(dsn)
    return _key_value({key: parts[key] for key in _SHOWN if parts.get(key)})


def _key_value(parts: dict[str, Any]) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(**parts)


def _parsed(dsn: str) -> dict[str, Any]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = dict(conninfo_to_dict(dsn))
    except psycopg.Error:
        parts = None  # libpq's message quotes the text, and perhaps a password: it is neither repeated nor chained
    if parts is not None:
        if _URI.match(dsn) and _has_strayed(dsn, parts):
            raise DsnError(
                "the DSN holds an '@', '/' or ':' where none can be, so that a part of its password would be taken for "
                "a host, port or database: write %40, %2F and %3A for those characters in a user or password"
            )
        return parts
    raise DsnError(
        "the DSN is in no form that is understood: use postgresql://user@host/database, key=value pairs, "
        "the directory of a unix socket, or a SQLAlchemy URL for PostgreSQL"
    )


def _has_strayed(uri: str, parts: dict[str, Any]) -> bool:
    """Whether libpq has found the end of the password too early, which shows in what it takes for the rest."""
    # A socket of Linux's abstract namespace begins with an '@', and only there.
    hosts = str(parts.get("host", "")).split(",")
    ports = str(parts.get("port", "")).split(",")
    path = uri.partition("://")[2].partition("?")[0].partition("/")[2]
    return any("@" in host[1:] for host in hosts) or any(port and not port.isdecimal() for port in ports) or "@" in path

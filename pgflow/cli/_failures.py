"""What the command line says of an error."""

from __future__ import annotations

import psycopg

from pgflow.errors import PgflowError
from pgflow.graph.wording import printable

__all__ = ["one_line"]


def one_line(error: BaseException) -> str | None:
    """The message of an error that its reader can act on, or None for a defect, which deserves a traceback.

    What a handler or another program has put into it steers no terminal.
    """
    words = _words(error)
    return None if words is None else printable(" ".join(words.split()))


def _words(error: BaseException) -> str | None:
    """What the error says, and a hint if there is one.

    SQLAlchemy and Alembic wrap what the database said, and SQLAlchemy appends the whole statement: only the words of
    the database are kept.
    """
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    from pgflow.graph.console import RICH_IS_MISSING

    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, psycopg.Error):
        words = error.diag.message_primary or str(error)
        hint = error.diag.message_hint
        if isinstance(error, psycopg.errors.InsufficientPrivilege) and not hint:
            # A database is refused to those who would create a schema in it.
            hint = (
                "migrating takes a role that may create schemas: grant create on database … to …"
                if words.startswith("permission denied for database")
                else "the role needs one of pgflow_client, pgflow_worker and pgflow_migrator"
            )
        return f"{words} ({hint})" if hint else words
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "rich":
        return RICH_IS_MISSING
    if isinstance(error, (PgflowError, CommandError)):
        return str(error)
    return None

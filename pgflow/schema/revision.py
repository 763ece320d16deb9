"""The schema revision that this version of pgflow works with, and what to do about a database at another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pgflow.errors import SchemaMissingError, SchemaTooNewError, SchemaTooOldError

__all__ = ["NEEDED", "require_known", "require_revision"]

NEEDED: Final = "0005_fewer_writes"
"""The head of the revisions; written here so that no client reads their folder."""


def require_revision(found: str | None, database: str, oldest_code: Callable[[], str]) -> None:
    """Raise the `SchemaError` that says what to do about a schema that this code does not work with.

    A newer schema says itself, by ``oldest_code``, whether this code may go on: so that a database can be upgraded
    before the last of its workers are.
    """
    if found is None:
        raise SchemaMissingError(f"the database ({database}) has no pgflow schema: run `pgflow migrate`")
    if _number(found) < _number(NEEDED):
        raise SchemaTooOldError(
            f"the pgflow schema of the database ({database}) is at revision {found}, this version of pgflow needs "
            f"{NEEDED}: run `pgflow migrate`"
        )
    if _number(found) > _number(NEEDED) and _number(oldest_code()) > _number(NEEDED):
        raise _too_new(found, database)


def require_known(found: str | None, database: str) -> None:
    """Raise `SchemaTooNewError` about a schema at a revision that is newer than all of ours."""
    if found is not None and _number(found) > _number(NEEDED):
        raise _too_new(found, database)


def _too_new(found: str, database: str) -> SchemaTooNewError:
    return SchemaTooNewError(
        f"the pgflow schema of the database ({database}) is at revision {found}, this version of pgflow knows "
        f"{NEEDED} as the newest: run `pip install --upgrade pgflow-sdk`"
    )


def _number(revision: str) -> str:
    """Return what a revision begins with: four digits that count."""
    return revision.partition("_")[0]

"""Running a select for rows of a class."""

from __future__ import annotations

from typing import Any, LiteralString, TypeAlias, TypeVar

import psycopg
from psycopg.rows import class_row
from psycopg.sql import Composed

__all__ = ["Connection", "select"]

Connection: TypeAlias = psycopg.Connection[Any]

T = TypeVar("T")


def select(connection: Connection, kind: type[T], statement: LiteralString | Composed, **parameters: Any) -> list[T]:
    """Return the rows of a statement, whose columns are the attributes of a class."""
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, parameters).fetchall()

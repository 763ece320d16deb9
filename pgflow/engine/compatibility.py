"""What a schema says of the code that it works with."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import scalar_row

from pgflow.engine.statements import OLDEST_CODE

__all__ = ["oldest_code"]


def oldest_code(connection: psycopg.Connection[Any]) -> str:
    """Return the oldest revision whose code works with the schema; asked of schemas that are newer than this code."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return str(cursor.execute(OLDEST_CODE).fetchone())

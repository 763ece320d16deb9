"""Functions of the engine with something taken out, to see that a test misses it."""

from __future__ import annotations

from typing import Any

import psycopg


def rewrite(connection: psycopg.Connection[Any], function: str, text: str, other: str) -> None:
    """Have a function of the engine say something else wherever it says `text`.

    :raises LookupError: it says nothing of the kind: what was to be taken out has moved
    """
    row = connection.execute(
        "select pg_get_functiondef(p.oid) from pg_proc as p "
        "where p.pronamespace = 'pgflow'::regnamespace and p.proname = %s",
        [function],
    ).fetchone()
    definition: str = row[0] if row else ""
    if text not in definition:
        raise LookupError(f"{function} does not say {text!r} any more")
    connection.execute(definition.replace(text, other).encode())

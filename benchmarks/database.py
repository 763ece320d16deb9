"""A database for what is measured, so that nothing else is in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

__all__ = ["new_database"]


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """Make an empty database of this process's own on a server, and drop it in the end."""
    name = f"pgflow_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        # What was there before has nothing left to write back while this one is measured.
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("checkpoint")
        try:
            yield make_conninfo(server, dbname=name)
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

"""Roles for tests that talk of roles by name: they belong to the server, which other tests use at the same time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from attrs import define, field
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.plugins.databases import Connection


@define
class Roles:
    """Gives each role that a text names a name of this test's own."""

    dsn: str
    connection: Connection
    names: dict[str, str] = field(factory=dict)

    def own(self, text: str, *roles: str) -> str:
        """The text with other names for these roles, and of databases for ``shop``."""
        database = self.connection.info.dbname
        for role in roles:
            self.names[role] = f"{role}_{database}"
            text = re.sub(rf"\b{role}\b", self.names[role], text)
        return re.sub(r"(?<=on database )shop\b", f'"{database}"', text)

    def dsn_of(self, role: str) -> str:
        """The way to the database as one of them."""
        return make_conninfo(self.dsn, user=self.names[role])

    def drop(self) -> None:
        """Drop those that were created."""
        for name in self.names.values():
            if self.connection.execute("select from pg_roles where rolname = %s", [name]).rowcount:
                for statement in ("reassign owned by {} to current_user", "drop owned by {}", "drop role {}"):
                    self.connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@pytest.fixture
def roles(dsn: str, database: Connection) -> Iterator[Roles]:
    """Roles for the test's database, dropped in the end."""
    roles = Roles(dsn, database)
    yield roles
    roles.drop()

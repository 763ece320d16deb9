"""The engine in a transaction that is rolled back, and on a database that commits."""

from __future__ import annotations

import pytest

from tests.plugins.databases import Connection
from tests.plugins.engine import Engine


@pytest.fixture
def engine(connection: Connection) -> Engine:
    """The engine in a transaction that is rolled back in the end."""
    return Engine(connection)


@pytest.fixture
def committed(database: Connection) -> Engine:
    """The engine on a database of the test's own, where each call commits."""
    return Engine(database)

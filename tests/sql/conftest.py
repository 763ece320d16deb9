"""The engine to test: rolled back, on a copy that commits, or on several connections at once."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.listening import Ear


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes seconds, and hundreds of megabytes")


@pytest.fixture
def engine(connection: Connection, request: pytest.FixtureRequest) -> Engine:
    """The engine in a transaction that is rolled back in the end; `both_paths` chooses the path of reports."""
    return Engine(connection, getattr(request, "param", "scalar"))


@pytest.fixture
def committed(database: Connection) -> Engine:
    """The engine on a database of the test's own, where each call commits."""
    return Engine(database)


@pytest.fixture
def another(connect: Callable[..., Connection]) -> Callable[..., Engine]:
    """Opens further sessions on the database of `committed`; with ``autocommit=False`` their transaction stays open.

    None of them ever waits for a lock for long: a test that would hang fails.
    """

    def another(*, autocommit: bool = True) -> Engine:
        connection = connect(autocommit=autocommit)
        connection.execute("set lock_timeout = '5s'")
        if not autocommit:
            connection.commit()
        return Engine(connection)

    return another


@pytest.fixture
def stranger(engine: Engine) -> str:
    """A role that nothing was granted to."""
    role = f"stranger_{uuid4().hex[:12]}"
    engine.do(f"create role {role}")
    return role


@pytest.fixture
def ear(connect: Callable[..., Connection]) -> Ear:
    """A session that listens on the database of `committed`."""
    return Ear(connect())

"""A client on a database of the test's own, and the engine by which the test does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pgflow.client import FlowClient
from pgflow.connector import PsycopgConnector
from tests.integration.client.listeners import Listeners
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine


@pytest.fixture
def engine(database: Connection) -> Engine:
    """The engine on a session of its own, where each call commits."""
    return Engine(database)


@pytest.fixture
def listeners(connect: Callable[..., Connection]) -> Listeners:
    """The sessions that listen."""
    return Listeners(Engine(connect()))


@pytest.fixture
def connector(dsn: str) -> Iterator[PsycopgConnector]:
    """A connector, closed in the end."""
    connector = PsycopgConnector(dsn)
    yield connector
    connector.close()


@pytest.fixture
def client(connector: PsycopgConnector) -> FlowClient:
    """A client over `connector`."""
    return FlowClient(connector=connector)

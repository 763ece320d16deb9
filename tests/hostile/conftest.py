"""The engine in a transaction that is rolled back, or on a database that commits, with a client and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from pgflow import Flow, FlowClient, Worker
from pgflow.connector import PsycopgConnector
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


@pytest.fixture
def connector(dsn: str) -> Iterator[PsycopgConnector]:
    """A connector with a pool of one connection: what spoils it spoils all that follows."""
    connector = PsycopgConnector(dsn, pool_size=1)
    yield connector
    connector.close()


@pytest.fixture
def client(connector: PsycopgConnector) -> FlowClient:
    """A client over `connector`."""
    return FlowClient(connector=connector)


@pytest.fixture
def work(dsn: str) -> Iterator[Callable[..., Worker]]:
    """Starts workers on `dsn` and stops them in the end."""
    workers: list[Worker] = []

    def work(*flows: Flow[Any], **options: Any) -> Worker:
        workers.append(Worker(flows, dsn, **options))
        return workers[-1].start()

    yield work
    for worker in workers:
        worker.stop(grace=5)


@pytest.fixture
def few(proof: bool) -> settings:
    """How many examples to try where each takes milliseconds; `--proof` tries ten times as many."""
    return settings(max_examples=400 if proof else 40, deadline=None)

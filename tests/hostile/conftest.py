"""The engine and workers as other tests have them, a client on one connection, and how much to try."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from pgflow import FlowClient
from pgflow.connector import PsycopgConnector
from tests.integration.worker.conftest import work
from tests.sql.conftest import committed, engine

__all__ = ["client", "committed", "connector", "engine", "few", "usual_depth", "work"]


@pytest.fixture(autouse=True)
def usual_depth() -> Iterator[None]:
    """Let Python recurse as far as it does by itself: a library that another test imported may have it go further."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


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
def few(proof: bool) -> settings:
    """How many examples to try where each takes milliseconds; `--proof` tries ten times as many."""
    return settings(max_examples=400 if proof else 40, deadline=None)

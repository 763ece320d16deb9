"""The place where sessions meet, made once for each process that runs tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_postgresql.executors import NoopExecutor

from tests.interleavings.meeting import Arena
from tests.plugins.databases import own_database


@pytest.fixture(scope="session")
def arena(template: NoopExecutor) -> Iterator[Arena]:
    """A database for all the cases, and the sessions that meet in it."""
    with own_database(template) as dsn:
        arena = Arena(dsn)
        yield arena
        arena.clear()
        arena.close()

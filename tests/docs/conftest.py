from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg.conninfo
import pytest
import sqlalchemy


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a page is followed; not pytest's own, which the system user of root's server may not enter."""
    path = Path(tempfile.mkdtemp(prefix="pgflow-guide-")).resolve()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def blank_url(blank_dsn: str) -> str:
    """`blank_dsn` as an engine takes it."""
    return url_of(blank_dsn)


@pytest.fixture
def url(dsn: str) -> str:
    """`dsn` as an engine takes it."""
    return url_of(dsn)


def url_of(dsn: str) -> str:
    where = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(dsn).items()}
    return sqlalchemy.URL.create("postgresql+psycopg", query=where).render_as_string(hide_password=False)

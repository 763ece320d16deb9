"""A database that is not at the revision that the code needs: one sentence that says what to run."""

from __future__ import annotations

import psycopg
import pytest

from pgflow.client import FlowClient
from pgflow.errors import SchemaMissingError, SchemaTooNewError, SchemaTooOldError
from pgflow.migrations import upgrade
from pgflow.models import RunStatus
from tests.migrations.test_check import NEEDS_THE_FUTURE
from tests.plugins.engine import Engine


def test_no_schema_at_all(blank_dsn: str) -> None:
    with FlowClient(blank_dsn) as client, pytest.raises(SchemaMissingError, match="run `pgflow migrate`"):
        client.start("flow")


def test_a_borrowed_connection_without_a_schema(blank_dsn: str) -> None:
    with (
        FlowClient(blank_dsn) as client,
        psycopg.connect(blank_dsn) as connection,
        pytest.raises(SchemaMissingError, match="run `pgflow migrate`"),
    ):
        client.start("flow", connection=connection)


@pytest.mark.parametrize("revision", ["0001_core", "0002_events"])
def test_an_older_schema(dsn: str, engine: Engine, revision: str) -> None:
    engine.do("update pgflow.alembic_version set version_num = %s", revision)

    with FlowClient(dsn) as client, pytest.raises(SchemaTooOldError, match=f"{revision}.*run `pgflow migrate`"):
        client.start("flow")


def test_a_newer_schema_that_works_with_this_code(dsn: str, engine: Engine) -> None:
    engine.define({"a": []})
    engine.do("update pgflow.alembic_version set version_num = '9999_future'")

    with FlowClient(dsn) as client:
        assert client.start("flow").status == "started"


def test_a_newer_schema_for_which_this_code_is_too_old(dsn: str, engine: Engine) -> None:
    engine.do("update pgflow.alembic_version set version_num = '9999_future'")
    engine.do(NEEDS_THE_FUTURE)

    with FlowClient(dsn) as client, pytest.raises(SchemaTooNewError, match=r"9999_future.*pip install --upgrade"):
        client.start("flow")


def test_a_client_that_was_refused_works_once_the_database_is_migrated(blank_dsn: str) -> None:
    with FlowClient(blank_dsn) as client:
        with pytest.raises(SchemaMissingError):
            client.start("flow")
        upgrade(blank_dsn)
        with psycopg.connect(blank_dsn, autocommit=True) as connection:
            Engine(connection).define({"a": []})

        assert client.start("flow").status is RunStatus.STARTED

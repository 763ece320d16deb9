"""A database that is not at the revision that the code needs: one sentence that says what to run."""

from __future__ import annotations

import pickle
from typing import Any

import psycopg
import pytest

from pgflow.client import FlowClient
from pgflow.connector import PsycopgConnector
from pgflow.dsl import Flow
from pgflow.errors import SchemaMissingError, SchemaTooNewError, SchemaTooOldError
from pgflow.migrations import upgrade
from pgflow.models import RunStatus
from pgflow.worker import Context, Worker
from tests.migrations.test_check import NEEDS_THE_FUTURE
from tests.plugins.engine import NOBODY, Engine
from tests.plugins.waiting import DEADLINE


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


def test_what_runs_already_goes_on_when_the_schema_is_migrated_under_it(dsn: str, engine: Engine) -> None:
    """Each kind of statement has a pool, and a worker that was idle till then has not opened all of them."""
    flow: Flow[int] = Flow("outliving", input=int, max_attempts=1)

    @flow.step
    def write(run: int, ctx: Context) -> Any:
        ctx.connection.execute("select 1")
        return ctx.run_input

    with Worker(flow, dsn), FlowClient(dsn) as client:
        client.register(flow)
        engine.do("update pgflow.alembic_version set version_num = '9999_future'")
        engine.do(NEEDS_THE_FUTURE)

        assert client.start(flow, 3).result(DEADLINE) == {"write": 3}
        with FlowClient(dsn) as late, pytest.raises(SchemaTooNewError):
            late.start(flow, 4)


def test_a_handler_in_a_process_of_its_own_goes_on_likewise(dsn: str, engine: Engine) -> None:
    connector = PsycopgConnector(dsn)
    assert connector.get_run_with_states(NOBODY) is None
    engine.do("update pgflow.alembic_version set version_num = '9999_future'")
    engine.do(NEEDS_THE_FUTURE)
    # As the process does that unpickles it: what it knows comes from here.
    theirs: PsycopgConnector = pickle.loads(pickle.dumps(connector))

    assert theirs.get_run_with_states(NOBODY) is None
    theirs.close()
    connector.close()

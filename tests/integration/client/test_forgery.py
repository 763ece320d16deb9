"""LISTEN and NOTIFY need no privilege: what somebody else sends on a run's channel changes no result."""

from __future__ import annotations

import json

import pytest

from pgflow import FlowClient, RunStatus, WaitTimeoutError
from pgflow.connector import PsycopgConnector
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.waiting import DEADLINE


def forge(database: Connection, run_id: object, event: str, **payload: object) -> None:
    message = json.dumps({"event": event, "payload": {"run_id": str(run_id), **payload}})
    database.execute("select pg_notify(%s, %s)", (f"pgflow:run:{run_id}", message))


@pytest.fixture
def client(connector: PsycopgConnector, engine: Engine) -> FlowClient:
    engine.define({"a": [], "b": ["a"]})
    return FlowClient(connector=connector)


def test_a_forged_end_of_a_run_is_not_believed(client: FlowClient, engine: Engine, database: Connection) -> None:
    run = client.start("flow")
    events = run.events(DEADLINE)
    next(events)
    forge(database, run.run_id, "run:completed", output={"b": "forged"}, completed_at="2026-01-01T00:00:00+00:00")
    with pytest.raises(WaitTimeoutError):
        run.result(0.5)
    assert run.status is RunStatus.STARTED

    engine.work({"b": "real"})
    assert run.result(DEADLINE) == {"b": "real"}


def test_a_forged_end_of_a_step_is_not_believed(client: FlowClient, engine: Engine, database: Connection) -> None:
    run = client.start("flow")
    step = run.step("b")
    with pytest.raises(WaitTimeoutError):
        step.result(0.05)
    forge(database, run.run_id, "b:completed", step_slug="b", output="forged", completed_at="2026-01-01T00:00:00+00:00")
    engine.work({"b": "real"})
    assert step.result(DEADLINE) == "real"


def test_nonsense_ends_nobody_elses_wait(client: FlowClient, engine: Engine, database: Connection) -> None:
    run = client.start("flow")
    events = run.events(DEADLINE)
    next(events)
    database.execute("select pg_notify(%s, %s)", (f"pgflow:run:{run.run_id}", "[" * 7900))
    engine.work({"b": "real"})
    assert run.result(DEADLINE) == {"b": "real"}

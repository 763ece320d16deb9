"""Each side works with the functions that its role was granted, and no more."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgflow import Flow, FlowClient, Worker
from pgflow.errors import FlowShapeError, UnknownFlowError

DEADLINE = 30

flow = Flow("shout", input=str)


@flow.step
def shout(run: str) -> str:
    return run.upper()


def acting_as(role: str, dsn: str) -> str:
    return make_conninfo(dsn, options=f"-c role={role}")


def test_a_client_and_a_worker_need_no_more_than_their_roles(dsn: str) -> None:
    with FlowClient(acting_as("pgflow_migrator", dsn)) as deployer:
        deployer.register(flow)

    with (
        Worker(flow, acting_as("pgflow_worker", dsn)),
        FlowClient(acting_as("pgflow_client", dsn)) as client,
    ):
        run = client.start(flow, "hello")
        assert run.result(timeout=DEADLINE) == {"shout": "HELLO"}


def test_a_worker_that_may_not_define_says_that_the_flow_is_missing(dsn: str) -> None:
    with pytest.raises(UnknownFlowError, match="shout"):
        Worker(flow, acting_as("pgflow_worker", dsn)).start()


def test_a_worker_that_may_not_define_refuses_another_shape(dsn: str) -> None:
    other: Flow[str] = Flow("shout", input=str)
    other.step("whisper")(lambda run: run.lower())
    with FlowClient(dsn) as deployer:
        deployer.register(other)

    with pytest.raises(FlowShapeError) as refusal:
        Worker(flow, acting_as("pgflow_worker", dsn)).start()
    assert refusal.value.differences == ("step 'shout' is new", "step 'whisper' is gone")


def test_a_client_cannot_define_a_flow(dsn: str) -> None:
    with FlowClient(acting_as("pgflow_client", dsn)) as client, pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.register(flow)

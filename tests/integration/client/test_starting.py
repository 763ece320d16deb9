from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from attrs import frozen

from pgflow.client import FlowClient, FlowRun
from pgflow.connector import PsycopgConnector
from pgflow.dsl import Flow
from pgflow.engine.calls import Rows
from pgflow.errors import (
    DsnError,
    FlowShapeError,
    NotJsonError,
    PgflowError,
    RunConflictError,
    UnknownFlowError,
    UnknownRunError,
)
from pgflow.models import RunStatus
from tests.plugins.engine import FALSY, Engine


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})


def test_a_run_is_started_and_says_what_it_is(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow", {"x": 1})

    assert (run.flow_slug, run.status, run.input, run.output) == ("flow", RunStatus.STARTED, {"x": 1}, None)
    assert (run.remaining_steps, run.error_message, run.completed_at, run.failed_at) == (2, None, None, None)
    assert run.started_at == engine.run(run.run_id)["started_at"]
    assert str(run.run_id) in repr(run)


def test_a_run_is_started_silently(client: FlowClient, engine: Engine) -> None:
    assert engine.run(client.start("flow").run_id)["watched"] is False


@pytest.mark.parametrize("value", [*FALSY, "123", {"a": [1, {"b": "é😀"}]}], ids=repr)
def test_input_comes_back_as_it_went(client: FlowClient, value: Any) -> None:
    run = client.start("flow", value)

    assert (run.input, type(run.input)) == (value, type(value))
    assert client.get_run(run.run_id).input == value


def test_an_unknown_flow_is_an_error_that_says_what_to_do(client: FlowClient) -> None:
    with pytest.raises(UnknownFlowError, match=r"'nowhere'.*[Rr]egister.*worker"):
        client.start("nowhere")


def test_starting_never_defines_a_flow(client: FlowClient) -> None:
    flow = Flow("undefined")
    flow.step("a")(lambda: None)

    with pytest.raises(UnknownFlowError):
        client.start(flow)


@pytest.mark.parametrize("value", [float("nan"), {1}, b"x", "\0", "\ud800", {1: 2}, [[{"a": float("inf")}]]], ids=repr)
def test_input_that_cannot_be_stored_is_refused_before_anything_is(
    client: FlowClient, engine: Engine, value: Any
) -> None:
    with pytest.raises(NotJsonError):
        client.start("flow", value)
    with pytest.raises(NotJsonError):
        client.start_many("flow", [1, value])

    assert engine.rows("select from pgflow.runs") == []


def test_one_run_id_is_one_run(client: FlowClient, engine: Engine) -> None:
    run_id = uuid4()
    first, second = client.start("flow", 1, run_id=run_id), client.start("flow", 1, run_id=str(run_id))

    assert first.run_id == second.run_id == run_id
    assert len(engine.rows("select from pgflow.runs")) == 1
    with pytest.raises(RunConflictError):
        client.start("flow", 2, run_id=run_id)


def test_what_is_no_run_id_cannot_become_one(client: FlowClient) -> None:
    with pytest.raises(ValueError, match="'7' is no run id"):
        client.start("flow", run_id="7")


def test_one_idempotency_key_is_one_run_however_many_start_it(client: FlowClient, engine: Engine) -> None:
    with ThreadPoolExecutor(8) as executor:
        runs = list(executor.map(lambda _: client.start("flow", 1, idempotency_key="order 7"), range(32)))

    assert len({run.run_id for run in runs}) == 1
    assert len(engine.rows("select from pgflow.runs")) == 1


def test_a_key_belongs_to_its_input(client: FlowClient) -> None:
    client.start("flow", 1, idempotency_key="k")

    with pytest.raises(RunConflictError):
        client.start("flow", 2, idempotency_key="k")


def test_many_are_started_in_the_order_of_their_inputs(client: FlowClient, engine: Engine) -> None:
    runs = client.start_many("flow", range(2500))

    assert [run.input for run in runs] == list(range(2500))
    assert {row["run_id"]: row["input"] for row in engine.rows("select run_id, input from pgflow.runs")} == {
        run.run_id: run.input for run in runs
    }


def test_a_thousand_are_started_in_one_statement(dsn: str, engine: Engine) -> None:
    class Counting(PsycopgConnector):
        sizes: list[int]

        def _fetch_all(self, statement: str, batches: Sequence[Mapping[str, Any]], connection: Any = None) -> Rows:
            self.sizes = [len(batch["inputs"]) for batch in batches]
            return super()._fetch_all(statement, batches, connection)

    connector = Counting(dsn)
    FlowClient(connector=connector).start_many("flow", range(2500))
    connector.close()

    assert connector.sizes == [1000, 1000, 500]


def test_many_are_none_if_there_are_no_inputs(client: FlowClient) -> None:
    assert client.start_many("flow", []) == []


def test_all_of_many_are_started_or_none(client: FlowClient, engine: Engine) -> None:
    engine.do("alter table pgflow.runs add constraint no_2000 check (input <> '2000')")

    with pytest.raises(psycopg.errors.CheckViolation):
        client.start_many("flow", range(2500))

    assert engine.rows("select from pgflow.runs") == []


def test_a_run_is_found_again(client: FlowClient) -> None:
    started = client.start("flow", {"x": 1})
    found = client.get_run(str(started.run_id))

    assert (found.run_id, found.input, found.status) == (started.run_id, {"x": 1}, RunStatus.STARTED)
    assert {slug: step.status for slug, step in found.steps.items()} == {"a": "started", "b": "created"}


@pytest.mark.parametrize("run_id", [UUID(int=7), str(UUID(int=7)), "7", "", None, 7], ids=repr)
def test_a_run_that_is_not_there_is_unknown(client: FlowClient, run_id: Any) -> None:
    with pytest.raises(UnknownRunError, match="run"):
        client.get_run(run_id)


@frozen
class Order:
    number: int


def ordered(run: Order) -> int:
    return run.number


def test_a_flow_takes_what_it_says_it_takes(client: FlowClient) -> None:
    flow = Flow("orders", input=Order)
    flow.step("a")(ordered)
    client.register(flow)

    assert client.start(flow, Order(7)).input == Order(7)
    assert [run.input for run in client.start_many(flow, [Order(1), Order(2)])] == [Order(1), Order(2)]
    with pytest.raises(NotJsonError):
        client.start(flow, {"number": 7})  # type: ignore[misc]


def test_a_flow_of_another_shape_is_refused_and_can_be_replaced(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    flow = Flow("flow")
    flow.step("other")(ordered)

    with pytest.raises(FlowShapeError) as caught:
        client.register(flow)
    assert any("other" in difference for difference in caught.value.differences)

    client.register(flow, replace=True)
    assert engine.rows("select from pgflow.runs where run_id = %s", run.run_id) == []
    assert client.start(flow).remaining_steps == 1


def test_what_is_no_flow_is_refused(client: FlowClient) -> None:
    with pytest.raises(TypeError, match="a flow is"):
        client.start(7)  # type: ignore[call-overload]


def test_a_client_opens_nothing_before_it_is_used(dsn: str, engine: Engine) -> None:
    clients = [FlowClient(dsn), FlowClient("postgresql://nobody@/nowhere?host=/nonexistent")]

    query = "select from pg_stat_activity where datname = current_database() and application_name like 'pgflow%%'"
    assert engine.rows(query) == []
    for client in clients:
        client.close()


def test_a_server_that_is_not_there_is_the_first_caller_s_error_without_a_secret() -> None:
    with FlowClient("postgresql://user:secret@/db?host=/nonexistent") as client:
        with pytest.raises(psycopg.OperationalError) as caught:
            client.start("flow")

        assert "secret" not in repr(caught.value) + repr(client)


def test_no_database_at_all_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)

    with pytest.raises(DsnError, match="PGFLOW_DSN"):
        FlowClient()


def test_the_environment_names_the_database(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)

    with FlowClient() as client:
        assert client.start("flow").status is RunStatus.STARTED


def test_a_closed_client_says_so_and_closes_again(dsn: str) -> None:
    client = FlowClient(dsn)
    run = client.start("flow")
    client.close()
    client.close()

    calls: list[Callable[[], FlowRun]] = [lambda: client.start("flow"), run.refresh, run.wait]
    for call in calls:
        with pytest.raises(PgflowError, match="closed"):
            call()


def test_a_client_leaves_a_connector_that_it_was_given_open(connector: PsycopgConnector) -> None:
    with FlowClient(connector=connector) as first:
        first.start("flow")

    assert FlowClient(connector=connector).start("flow").status is RunStatus.STARTED


def test_a_client_takes_a_dsn_or_a_connector(dsn: str, connector: PsycopgConnector) -> None:
    with pytest.raises(TypeError, match="not both"):
        FlowClient(dsn, connector=connector)


def test_a_connection_that_the_server_has_closed_is_not_used_again(client: FlowClient, engine: Engine) -> None:
    client.start("flow")
    engine.do(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and application_name = 'pgflow'"
    )

    assert client.start("flow").status is RunStatus.STARTED

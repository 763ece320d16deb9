from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine

RUN = uuid4()


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": []})


@pytest.mark.parametrize("identity", [{"run_id": RUN}, {"idempotency_key": "key"}])
def test_the_same_start_again_returns_the_run_and_starts_nothing(engine: Engine, identity: dict[str, Any]) -> None:
    first = engine.start({"x": 1}, **identity)
    assert engine.start({"x": 1}, **identity) == first
    assert len(engine.messages()) == 1
    assert engine.value("select count(*) from pgflow.runs") == 1


def test_the_run_is_returned_as_it_now_is(engine: Engine) -> None:
    engine.start(run_id=RUN)
    engine.work({"a": 1})
    (run,) = engine.call("start_flow", flow_slug="flow", input=Jsonb(None), run_id=RUN)
    assert (run["status"], run["output"]) == ("completed", {"a": 1})
    assert engine.messages() == []


def test_numbers_and_keys_are_compared_as_json(engine: Engine) -> None:
    engine.start({"x": 1, "y": 2}, run_id=RUN)
    assert engine.start({"y": 2.0, "x": 1}, run_id=RUN) == RUN


def test_a_key_may_be_repeated_with_or_without_its_run_id(engine: Engine) -> None:
    engine.start(run_id=RUN, idempotency_key="key")
    assert engine.start(idempotency_key="key") == RUN
    assert engine.start(run_id=RUN) == RUN


def test_a_key_belongs_to_its_flow(engine: Engine) -> None:
    engine.define({"a": []}, flow="other")
    first = engine.start(idempotency_key="key")
    assert engine.start(flow="other", idempotency_key="key") != first


def test_another_key_starts_another_run(engine: Engine) -> None:
    assert engine.start(idempotency_key="one") != engine.start(idempotency_key="two")


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"x": 2}, "run_id": RUN},
        {"input": None, "run_id": RUN},
        {"flow": "other", "run_id": RUN},
        {"input": {"x": 2}, "idempotency_key": "key"},
        {"run_id": uuid4(), "idempotency_key": "key"},
        {"run_id": RUN, "idempotency_key": "another"},
    ],
)
def test_a_run_id_or_key_cannot_be_taken_by_another_run(engine: Engine, change: dict[str, Any]) -> None:
    engine.define({"a": []}, flow="other")
    engine.start({"x": 1}, run_id=RUN, idempotency_key="key")

    with pytest.raises(errors.DatabaseError, match=str(RUN)) as refusal, engine.connection.transaction():
        engine.start(**{"input": {"x": 1}, **change})

    assert refusal.value.sqlstate == "PF004"
    assert engine.value("select count(*) from pgflow.runs") == 1


def test_a_key_cannot_be_added_to_a_run_that_has_none(engine: Engine) -> None:
    engine.start(run_id=RUN)
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.start(run_id=RUN, idempotency_key="key")
    assert refusal.value.sqlstate == "PF004"

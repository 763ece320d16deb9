from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg import errors

from tests.plugins.engine import Engine


def test_a_start_returns_the_run_and_its_steps_by_slug(engine: Engine) -> None:
    engine.define({"z": [], "a": ["z"]})
    snapshot = engine.row(
        """select (run).run_id, (run).status, (run).input, array(select s.step_slug from unnest(steps) as s) as slugs,
                  array(select s.status from unnest(steps) as s) as statuses
           from pgflow.start_flow_with_states('flow', '{"x": 1}')"""
    )
    assert snapshot["run_id"] == engine.value("select run_id from pgflow.runs")
    assert (snapshot["status"], snapshot["input"]) == ("started", {"x": 1})
    assert (snapshot["slugs"], snapshot["statuses"]) == (["a", "z"], ["created", "started"])


def test_the_same_run_again_returns_its_present_state(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run_id = uuid4()
    start = "select (run).remaining_steps from pgflow.start_flow_with_states('flow', '1', %s)"
    assert engine.value(start, run_id) == 2
    engine.complete(engine.poll_one())
    assert engine.value(start, run_id) == 1


def test_all_parameters_reach_the_start(engine: Engine) -> None:
    engine.define({"a": []})
    run_id = uuid4()
    engine.do("select * from pgflow.start_flow_with_states('flow', '1', %s, 'key', false)", run_id)
    assert (engine.run(run_id)["idempotency_key"], engine.run(run_id)["watched"]) == ("key", False)


def test_a_flow_without_steps_has_an_empty_snapshot(engine: Engine) -> None:
    engine.define({})
    assert engine.value("select cardinality(steps) from pgflow.start_flow_with_states('flow', '1')") == 0


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.do("select * from pgflow.start_flow_with_states('nowhere', '1')")
    assert refusal.value.sqlstate == "PF001"

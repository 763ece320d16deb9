from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine


def definition(**changes: Any) -> Jsonb:
    steps = [
        {"step_slug": "a", "step_type": "single", "deps": []},
        {"step_slug": "b", "step_type": "single", "deps": ["a"]},
    ]
    return Jsonb({"flow_slug": "flow", "max_attempts": 3, "base_delay": 0, "timeout": 300, "steps": steps, **changes})


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})


def test_the_same_shape_is_no_error(engine: Engine) -> None:
    assert len(engine.call("check_flow", p_definition=definition())) == 1


def test_other_options_are_no_other_shape_and_are_not_taken_over(engine: Engine) -> None:
    before = engine.rows("select * from pgflow.flows")
    engine.call("check_flow", p_definition=definition(max_attempts=9, timeout=1))
    assert engine.rows("select * from pgflow.flows") == before


def test_another_shape_is_refused_with_the_differences(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.call("check_flow", p_definition=definition(steps=[]))
    assert refusal.value.sqlstate == "PF006"
    assert refusal.value.diag.message_detail == "step 'a' is gone\nstep 'b' is gone"


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.call("check_flow", p_definition=definition(flow_slug="nowhere"))
    assert refusal.value.sqlstate == "PF001"

from __future__ import annotations

import pytest
from psycopg import IsolationLevel
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine, fanout


@pytest.mark.parametrize("level", list(IsolationLevel), ids=lambda level: level.name.lower())
def test_a_flow_may_be_started_at_every_isolation_level(engine: Engine, level: IsolationLevel) -> None:
    engine.connection.isolation_level = level
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.call("start_flow_with_states", p_flow_slug="flow", p_input=Jsonb(1))
    engine.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(1), Jsonb(2)])
    assert engine.statuses(run) == {"a": "started", "b": "created"}
    assert len(engine.messages()) == 4


@pytest.mark.parametrize("level", list(IsolationLevel), ids=lambda level: level.name.lower())
def test_a_flow_without_steps_completes_at_every_isolation_level(engine: Engine, level: IsolationLevel) -> None:
    engine.connection.isolation_level = level
    engine.define({})
    assert engine.run(engine.start())["status"] == "completed"

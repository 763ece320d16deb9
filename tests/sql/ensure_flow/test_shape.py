from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine, Step, Steps, fanout, single


def ensure(engine: Engine, steps: Steps) -> None:
    definition: dict[str, Any] = {"flow_slug": "flow", "max_attempts": 3, "base_delay": 0, "timeout": 300, "steps": []}
    for slug, step in steps.items():
        step = step if isinstance(step, Step) else single(*step)
        definition["steps"].append({"step_slug": slug, "step_type": step.step_type, "deps": step.deps})
    with engine.connection.transaction():
        engine.call("ensure_flow", p_definition=Jsonb(definition))


def differences(engine: Engine, steps: Steps) -> list[str]:
    """The lines of the error that refuses these steps."""
    with pytest.raises(errors.DatabaseError, match="the database holds flow 'flow' in another shape") as refusal:
        ensure(engine, steps)
    assert refusal.value.sqlstate == "PF006"
    return (refusal.value.diag.message_detail or "").splitlines()


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": ["a", "b"]})


def test_the_same_shape_is_no_difference(engine: Engine) -> None:
    ensure(engine, {"a": [], "b": ["a"], "c": ["b", "a"]})
    assert engine.value("select count(*) from pgflow.steps") == 3


def test_a_new_step(engine: Engine) -> None:
    assert differences(engine, {"a": [], "b": ["a"], "c": ["a", "b"], "d": []}) == ["step 'd' is new"]


def test_a_step_that_is_gone(engine: Engine) -> None:
    assert differences(engine, {"a": [], "b": ["a"]}) == ["step 'c' is gone"]


def test_a_step_of_another_type(engine: Engine) -> None:
    assert differences(engine, {"a": [], "b": fanout("a"), "c": ["a", "b"]}) == ["step 'b' is fanout, it was single"]


def test_a_step_with_other_dependencies(engine: Engine) -> None:
    assert differences(engine, {"a": [], "b": ["a"], "c": ["a"]}) == ["step 'c' depends on {a}, it did on {a, b}"]


def test_every_difference_has_a_line(engine: Engine) -> None:
    assert differences(engine, {"b": [], "c": ["b"], "d": []}) == [
        "step 'a' is gone",
        "step 'b' depends on {}, it did on {a}",
        "step 'c' depends on {b}, it did on {a, b}",
        "step 'd' is new",
    ]


def test_a_refused_definition_changes_nothing(engine: Engine) -> None:
    before = engine.rows("select * from pgflow.flows, pgflow.steps, pgflow.deps")
    assert differences(engine, {"a": []})
    assert engine.rows("select * from pgflow.flows, pgflow.steps, pgflow.deps") == before

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors

from tests.plugins.engine import Engine


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "joined": ["a", "b"]})


def refusal(engine: Engine, **step: Any) -> errors.DatabaseError:
    with pytest.raises(errors.DatabaseError) as refused, engine.connection.transaction():
        engine.call("add_step", **{"flow_slug": "flow", "step_slug": "new", **step})
    return refused.value


@pytest.mark.parametrize("slug", ["", "run", "1st", "a b", "step\n", "\u0430bc", "x" * 129, None])
def test_an_invalid_slug(engine: Engine, slug: str | None) -> None:
    error = refusal(engine, step_slug=slug)
    assert error.sqlstate == "PF005"
    assert "cannot name a step of flow 'flow'" in str(error)


def test_an_unknown_flow(engine: Engine) -> None:
    error = refusal(engine, flow_slug="nowhere")
    assert error.sqlstate == "PF001"
    assert error.diag.message_primary == "there is no flow 'nowhere' to add step 'new' to"


def test_an_unknown_dependency(engine: Engine) -> None:
    error = refusal(engine, deps_slugs=["a", "missing"])
    assert error.sqlstate == "PF009"
    assert error.diag.message_primary == "step 'new' of flow 'flow' depends on 'missing', which the flow does not have"


def test_a_step_that_depends_on_itself(engine: Engine) -> None:
    assert refusal(engine, deps_slugs=["new"]).sqlstate == "PF009"


def test_a_dependency_that_only_another_flow_has(engine: Engine) -> None:
    engine.define({"elsewhere": []}, flow="other")
    assert refusal(engine, deps_slugs=["elsewhere"]).sqlstate == "PF009"


def test_a_duplicate_dependency(engine: Engine) -> None:
    error = refusal(engine, deps_slugs=["a", "b", "a"])
    assert error.sqlstate == "PF007"
    assert error.diag.message_primary == "step 'new' of flow 'flow' lists a dependency twice"


@pytest.mark.parametrize("deps", [[], None])
def test_a_fanout_without_a_dependency(engine: Engine, deps: list[str] | None) -> None:
    error = refusal(engine, step_type="fanout", deps_slugs=deps)
    assert error.sqlstate == "PF007"
    assert error.diag.message_primary == "Fanout steps cannot be root steps"


def test_a_fanout_with_two_dependencies(engine: Engine) -> None:
    error = refusal(engine, step_type="fanout", deps_slugs=["a", "b"])
    assert error.sqlstate == "PF007"
    assert error.diag.message_primary == "Fanout steps must have exactly one dependency"


def test_an_unknown_step_type(engine: Engine) -> None:
    assert refusal(engine, step_type="map").sqlstate == "PF007"


@pytest.mark.parametrize(
    "step",
    [
        {"step_slug": "a", "deps_slugs": ["b"]},
        {"step_slug": "joined", "deps_slugs": ["a"]},
        {"step_slug": "joined", "deps_slugs": []},
        {"step_slug": "joined", "deps_slugs": ["a", "missing"]},
        {"step_slug": "a", "deps_slugs": ["b"], "step_type": "fanout"},
    ],
)
def test_an_existing_step_of_another_shape(engine: Engine, step: dict[str, Any]) -> None:
    error = refusal(engine, **step)
    assert error.sqlstate == "PF006"
    assert "exists with another type or other dependencies" in str(error)


def test_a_refused_step_leaves_nothing_behind(engine: Engine) -> None:
    before = engine.rows("select * from pgflow.steps order by step_index"), engine.rows("select * from pgflow.deps")
    refusal(engine, deps_slugs=["a", "missing"])
    assert before == (
        engine.rows("select * from pgflow.steps order by step_index"),
        engine.rows("select * from pgflow.deps"),
    )

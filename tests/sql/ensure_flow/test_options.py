from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine


def definition(**changes: Any) -> dict[str, Any]:
    step = {"handler_name": None, "max_attempts": None, "base_delay": None, "timeout": None, "start_delay": None}
    return {
        "flow_slug": "flow",
        "max_attempts": 3,
        "base_delay": 1,
        "timeout": 300,
        "steps": [
            {"step_slug": "a", "step_type": "single", "deps": [], **step},
            {"step_slug": "b", "step_type": "fanout", "deps": ["a"], **step, "handler_name": "each", "start_delay": 2},
        ],
        **changes,
    }


def ensure(engine: Engine, definition: dict[str, Any]) -> None:
    engine.call("ensure_flow", p_definition=Jsonb(definition))


def everything(engine: Engine) -> list[Any]:
    return [engine.rows(f"select * from pgflow.{table} order by 1, 2") for table in ("flows", "steps", "deps")]


def test_a_missing_flow_is_created(engine: Engine) -> None:
    ensure(engine, definition(max_attempts=5, timeout=7))

    assert engine.value("select (opt_max_attempts, opt_base_delay, opt_timeout)::text from pgflow.flows") == "(5,1,7)"
    a, b = engine.rows("select * from pgflow.steps order by step_index")
    assert (a["step_slug"], a["step_type"], a["handler_name"], a["opt_start_delay"]) == ("a", "single", None, None)
    assert (b["step_slug"], b["step_type"], b["handler_name"], b["opt_start_delay"]) == ("b", "fanout", "each", 2)
    assert engine.messages("flow") == []


def test_the_same_definition_again_changes_nothing(engine: Engine) -> None:
    ensure(engine, definition())
    before = everything(engine)
    ensure(engine, definition())
    assert everything(engine) == before


def test_changed_options_are_updated(engine: Engine) -> None:
    ensure(engine, definition())
    changed = definition(max_attempts=1, base_delay=0, timeout=1)
    changed["steps"][1].update(max_attempts=9, base_delay=8, timeout=7, start_delay=None, handler_name="other")
    ensure(engine, changed)

    assert engine.value("select (opt_max_attempts, opt_base_delay, opt_timeout)::text from pgflow.flows") == "(1,0,1)"
    b = engine.row("select * from pgflow.steps where step_slug = 'b'")
    assert (b["opt_max_attempts"], b["opt_base_delay"], b["opt_timeout"]) == (9, 8, 7)
    assert (b["opt_start_delay"], b["handler_name"]) == (None, "other")


def test_steps_of_the_same_slugs_in_other_flows_keep_their_options(engine: Engine) -> None:
    ensure(engine, definition(flow_slug="other"))
    changed = definition()
    changed["steps"][0]["timeout"] = 7
    ensure(engine, changed)
    assert engine.value("select opt_timeout from pgflow.steps where flow_slug = 'other' and step_slug = 'a'") is None


def test_a_changed_option_applies_to_runs_that_are_under_way(engine: Engine) -> None:
    ensure(engine, definition(base_delay=0))
    run = engine.start()
    engine.fail(engine.poll_one())
    ensure(engine, definition(base_delay=0, max_attempts=2))
    engine.fail(engine.poll_one())
    assert engine.run(run)["status"] == "failed"


@pytest.mark.parametrize("slug", ["run", "a--b", "x" * 48, "", None])
def test_an_invalid_slug_is_refused(engine: Engine, slug: str | None) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        ensure(engine, definition(flow_slug=slug))
    assert refusal.value.sqlstate == "PF005"


def test_a_flow_of_no_steps_may_be_ensured(engine: Engine) -> None:
    ensure(engine, definition(steps=[]))
    ensure(engine, definition(steps=[]))
    assert engine.value("select count(*) from pgflow.flows") == 1


def test_a_flow_that_differs_only_in_case_is_refused(engine: Engine) -> None:
    ensure(engine, definition())
    with pytest.raises(errors.DatabaseError, match="differs only in case") as refusal:
        ensure(engine, definition(flow_slug="FLOW"))
    assert refusal.value.sqlstate == "PF005"

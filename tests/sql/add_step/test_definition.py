from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, Row


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.call("create_flow", flow_slug="flow")


def add(engine: Engine, slug: str, *deps: str, **options: object) -> Row:
    (step,) = engine.call("add_step", flow_slug="flow", step_slug=slug, deps_slugs=list(deps), **options)
    return step


def test_a_step_has_the_options_of_its_flow_unless_it_has_its_own(engine: Engine) -> None:
    plain = add(engine, "plain")
    assert [plain[f"opt_{name}"] for name in ("max_attempts", "base_delay", "timeout", "start_delay")] == [None] * 4

    special = add(engine, "special", max_attempts=1, base_delay=0, timeout=2, start_delay=3)
    assert [special[f"opt_{name}"] for name in ("max_attempts", "base_delay", "timeout", "start_delay")] == [1, 0, 2, 3]


def test_the_parameters_keep_their_order(engine: Engine) -> None:
    engine.call("add_step", flow_slug="flow", step_slug="a")
    step = engine.row("select * from pgflow.add_step('flow', 'b', array['a'], 1, 2, 3, 4, 'fanout', 'handle')")
    assert step["step_type"] == "fanout"
    assert step["handler_name"] == "handle"
    assert [step[f"opt_{name}"] for name in ("max_attempts", "base_delay", "timeout", "start_delay")] == [1, 2, 3, 4]


def test_steps_are_numbered_in_the_order_they_are_added(engine: Engine) -> None:
    assert [add(engine, slug)["step_index"] for slug in ("z", "a", "m")] == [0, 1, 2]


def test_a_step_counts_its_dependencies(engine: Engine) -> None:
    add(engine, "a")
    add(engine, "b")
    assert add(engine, "c", "a", "b")["deps_count"] == 2
    assert {row["dep_slug"] for row in engine.rows("select dep_slug from pgflow.deps where step_slug = 'c'")} == {
        "a",
        "b",
    }


def test_no_dependencies_may_be_said_by_null(engine: Engine) -> None:
    (step,) = engine.call("add_step", flow_slug="flow", step_slug="a", deps_slugs=None)
    assert step["deps_count"] == 0


def test_the_same_step_again_is_returned_with_its_options_unchanged(engine: Engine) -> None:
    add(engine, "a")
    add(engine, "b")
    first = add(engine, "c", "a", "b", timeout=5, handler_name="first")
    assert add(engine, "c", "b", "a", timeout=6, handler_name="second") == first


@pytest.mark.parametrize(
    ("options", "constraint"),
    [
        ({"max_attempts": 0}, "max_attempts_is_at_least_one"),
        ({"base_delay": -1}, "base_delay_is_not_negative"),
        ({"timeout": 0}, "timeout_is_at_least_one_second"),
        ({"start_delay": -1}, "start_delay_is_not_negative"),
    ],
)
def test_an_impossible_option_is_refused_by_name(engine: Engine, options: dict[str, int], constraint: str) -> None:
    with pytest.raises(errors.CheckViolation) as refusal:
        add(engine, "a", **options)
    assert refusal.value.diag.constraint_name == constraint

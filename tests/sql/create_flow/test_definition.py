from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine


def test_a_flow_has_default_options(engine: Engine) -> None:
    flow = engine.row("select * from pgflow.create_flow('flow')")
    assert (flow["opt_max_attempts"], flow["opt_base_delay"], flow["opt_timeout"]) == (3, 1, 300)


def test_null_options_are_the_defaults(engine: Engine) -> None:
    flow = engine.row("select * from pgflow.create_flow('flow', null, null, null)")
    assert (flow["opt_max_attempts"], flow["opt_base_delay"], flow["opt_timeout"]) == (3, 1, 300)


def test_a_flow_that_exists_is_returned_with_its_options_unchanged(engine: Engine) -> None:
    first = engine.row("select * from pgflow.create_flow('flow', 7, 8, 9)")
    again = engine.row("select * from pgflow.create_flow('flow', 1, 1, 1)")
    assert again == first


@pytest.mark.parametrize(
    ("options", "constraint"),
    [
        ({"max_attempts": 0}, "max_attempts_is_at_least_one"),
        ({"base_delay": -1}, "base_delay_is_not_negative"),
        ({"timeout": 0}, "timeout_is_at_least_one_second"),
    ],
)
def test_an_impossible_option_is_refused_by_name(engine: Engine, options: dict[str, int], constraint: str) -> None:
    with pytest.raises(errors.CheckViolation) as refusal:
        engine.call("create_flow", flow_slug="flow", **options)
    assert refusal.value.diag.constraint_name == constraint


def test_a_flow_brings_its_queue(engine: Engine) -> None:
    engine.call("create_flow", flow_slug="analyze-websites")
    assert engine.messages("analyze-websites") == []


def test_a_queue_is_vacuumed_early_at_full_speed_and_has_room_for_claims(engine: Engine) -> None:
    engine.call("create_flow", flow_slug="Flow")
    settings = engine.value("select reloptions from pg_class where oid = 'pgmq.q_flow'::regclass")
    assert set(settings) == {
        "fillfactor=50",
        "autovacuum_vacuum_scale_factor=0",
        "autovacuum_vacuum_threshold=1000",
        "autovacuum_vacuum_cost_delay=0",
    }


def test_inserts_into_a_queue_fire_no_trigger(engine: Engine) -> None:
    engine.call("create_flow", flow_slug="flow")
    assert engine.value("select count(*) from pg_trigger where tgrelid = 'pgmq.q_flow'::regclass") == 0


def test_the_queue_of_somebody_else_is_not_taken_over(engine: Engine) -> None:
    engine.do("select pgmq.create('flow')")
    with pytest.raises(errors.DatabaseError, match="a pgmq queue of that name exists and is not ours") as refusal:
        engine.call("create_flow", flow_slug="Flow")
    assert refusal.value.sqlstate == "PF007"

from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, fanout

LONGEST = "x" * 47


@pytest.mark.parametrize("slug", ["", "run", "1st", "a b", "flow\n", "\u0430bc", "x" * 48, "x" * 129, "a--b", None])
def test_a_slug_that_names_no_queue_is_refused(engine: Engine, slug: str | None) -> None:
    with pytest.raises(errors.DatabaseError, match="cannot name a flow") as refusal:
        engine.call("create_flow", flow_slug=slug)
    assert refusal.value.sqlstate == "PF005"
    assert refusal.value.diag.message_hint


def test_a_flow_with_the_longest_slug_works(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")}, flow=LONGEST)
    run = engine.start(flow=LONGEST)
    engine.work({"a": [1, 2]}, flow=LONGEST)
    assert engine.run(run)["output"] == {"b": [None, None]}


@pytest.mark.parametrize("slug", ["analyze-websites", "CamelCase", "_", "select"])
def test_a_flow_with_an_unusual_slug_works(engine: Engine, slug: str) -> None:
    engine.define({"the-first": [], "Second": fanout("the-first"), "from": ["Second"]}, flow=slug)
    run = engine.start(flow=slug)
    engine.work({"the-first": [1]}, flow=slug)
    assert engine.run(run)["status"] == "completed"


def test_a_flow_that_differs_only_in_case_is_refused(engine: Engine) -> None:
    engine.call("create_flow", flow_slug="Flow")
    with pytest.raises(errors.DatabaseError, match="differs only in case from flow 'Flow'") as refusal:
        engine.call("create_flow", flow_slug="fLOW")
    assert refusal.value.sqlstate == "PF005"


def test_the_tables_refuse_such_slugs_too(engine: Engine) -> None:
    engine.call("create_flow", flow_slug="flow")
    with pytest.raises(errors.UniqueViolation, match="flow_slug_is_unique_whatever_its_case"):
        engine.do("insert into pgflow.flows (flow_slug) values ('FLOW')")

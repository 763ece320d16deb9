"""Slugs end up in names of tables and channels, so that each is a slug in every part of the system or in none."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pgflow import Flow, FlowClient, compile_flow
from pgflow.errors import DefinitionError, InvalidSlugError, UnknownFlowError
from tests.hostile.values import LONE_SURROGATE, slugs
from tests.plugins.engine import NOBODY, Engine, fanout


def is_flow_slug(slug: str) -> bool:
    try:
        Flow(slug)
    except InvalidSlugError:
        return False
    return True


def test_a_flow_of_any_slug_works_or_is_refused(engine: Engine, few: settings) -> None:
    @few
    @given(slugs)
    def check(slug: str) -> None:
        assume("\0" not in slug)
        with engine.connection.transaction(force_rollback=True):
            if is_flow_slug(slug):
                engine.define({"a": [], "b": fanout("a")}, flow=slug)
                run = engine.start(flow=slug)
                engine.work({"a": [1], "b": 2}, flow=slug)
                assert engine.run(run)["output"] == {"b": [2]}
            else:
                with pytest.raises(psycopg.Error) as refusal, engine.connection.transaction():
                    engine.call("create_flow", flow_slug=slug)
                assert refusal.value.sqlstate == "PF005"
        assert engine.value("select count(*) from pgflow.flows") == 0

    check()


def test_a_step_of_any_slug_works_or_is_refused(engine: Engine, few: settings) -> None:
    engine.call("create_flow", flow_slug="flow")

    @few
    @given(slugs)
    def check(slug: str) -> None:
        assume("\0" not in slug and slug not in ("deps", "item", "ctx"))
        flow = Flow("flow")
        with engine.connection.transaction(force_rollback=True):
            try:
                flow.step(slug)(lambda: None)
            except InvalidSlugError:
                with pytest.raises(psycopg.Error) as refusal, engine.connection.transaction():
                    engine.call("add_step", flow_slug="flow", step_slug=slug)
                assert refusal.value.sqlstate == "PF005"
            else:
                engine.call("add_step", flow_slug="flow", step_slug=slug)
                run = engine.start()
                engine.work({slug: "done"})
                assert engine.run(run)["output"] == {slug: "done"}

    check()


def test_what_compiles_is_what_was_defined_whatever_the_names(engine: Engine, few: settings) -> None:
    @few
    @given(slugs, slugs, st.text(max_size=30))
    def check(flow_slug: str, step_slug: str, name: str) -> None:
        def handler() -> None: ...

        handler.__qualname__ = name
        try:
            flow = Flow(flow_slug)
            flow.step(step_slug)(handler)
        except DefinitionError:
            return
        with engine.connection.transaction(force_rollback=True):
            if "\0" in name or not _encodes(name):
                return
            for statement in compile_flow(flow):
                engine.do(statement.replace("%", "%%"))
            stored = engine.rows("select flow_slug, step_slug, handler_name from pgflow.steps")
            assert stored == [{"flow_slug": flow_slug, "step_slug": step_slug, "handler_name": name}]

    check()


def _encodes(text: str) -> bool:
    return text.encode(errors="replace").decode() == text


@pytest.mark.parametrize(
    "slug", ["", "a\0b", LONE_SURROGATE, "x" * 50_000_000, "no-such-flow", "'; drop table pgflow.runs; --", "\u0430"],
    ids=["empty", "nul", "surrogate", "50 MB", "unknown", "sql", "cyrillic"],
)  # fmt: skip
def test_a_run_of_a_flow_that_cannot_be_is_of_an_unknown_one(client: FlowClient, slug: str) -> None:
    with pytest.raises(UnknownFlowError) as one:
        client.start(slug)
    with pytest.raises(UnknownFlowError) as many:
        client.start_many(slug, [1, 2])
    assert len(str(one.value)) < 500
    assert len(str(many.value)) < 500


@pytest.mark.parametrize("slug", ["x" * 1_000_000, "' || current_user || '", "a\u200b", ""], ids=len)
@pytest.mark.parametrize(
    "call",
    [
        "select pgflow.start_flow(%s, '1')",
        "select pgflow.start_flows(%s, '{1}')",
        "select pgflow.start_tasks(%s, '{1}', null)",
        "select pgflow.claim_tasks(array[%s], 1, 30)",
        "select pgflow.poll_for_tasks(%s, 1, 1, 0)",
        "select pgflow.sleep_on_queues(gen_random_uuid(), array[%s], 1)",
        "select pgflow.create_flow(%s)",
        "select pgflow.add_step('flow', %s)",
        "select pgflow.add_step(%s, 'a')",
        "select pgflow.add_step('flow', 'b', array[%s])",
        "select pgflow.add_step('flow', 'b', step_type => %s)",
        "select pgflow.check_flow(jsonb_build_object('flow_slug', %s::text, 'steps', '[]'::jsonb))",
        "select pgflow.ensure_flow(jsonb_build_object('flow_slug', %s::text, 'steps', '[]'::jsonb))",
    ],
)
def test_sql_refuses_such_names_with_a_state_of_its_own_and_few_words(engine: Engine, call: str, slug: str) -> None:
    engine.call("create_flow", flow_slug="flow")
    with pytest.raises(psycopg.Error) as refusal, engine.connection.transaction():
        engine.do(call, slug)
    assert (refusal.value.sqlstate or "").startswith("PF")
    assert len(str(refusal.value)) < 2_000
    assert engine.value("select 1") == 1


@pytest.mark.parametrize("slug", ["x" * 1_000_000, "'; drop table pgflow.runs; --", ""], ids=len)
def test_a_step_that_cannot_be_is_no_task(engine: Engine, slug: str) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.poll()
    assert engine.rows("select * from pgflow.complete_task(%s, %s, 0, '1')", run, slug) == []
    assert engine.rows("select * from pgflow.fail_task(%s, %s, 0, 'x')", run, slug) == []
    assert len(engine.rows("select * from pgflow.complete_tasks(%s, %s, '{0,0}', '{1,1}', '{1,1}')",
                           [run, NOBODY], [slug, slug])) == 2  # fmt: skip
    assert engine.statuses(run) == {"a": "started"}

from __future__ import annotations

from psycopg.types.json import Jsonb

from tests.plugins.engine import NOBODY, Engine
from tests.plugins.listening import Ear


def test_a_silent_run_speaks_from_then_on(committed: Engine, ear: Ear) -> None:
    committed.define({"a": [], "b": ["a"]})
    run = committed.start(watched=False)
    ear.listen_to(run)
    committed.complete(committed.poll_one())
    committed.do("select pgflow.watch_run(%s)", run)
    committed.complete(committed.poll_one())
    assert ear.names(run) == ["b:completed", "run:completed"]


def test_it_returns_the_snapshot(engine: Engine) -> None:
    engine.define({"z": [], "a": ["z"]})
    run = engine.start(watched=False)
    snapshot = engine.row("select to_jsonb(run) as run, to_jsonb(steps) as steps from pgflow.watch_run(%s)", run)
    assert snapshot["run"]["run_id"] == str(run)
    assert snapshot["run"]["watched"] is True
    assert [step["step_slug"] for step in snapshot["steps"]] == ["a", "z"]


def test_an_unknown_run_has_no_row(engine: Engine) -> None:
    assert engine.rows("select * from pgflow.watch_run(%s)", NOBODY) == []


def test_a_run_that_is_over_stays_as_it_is(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start(watched=False)
    engine.work()
    before = engine.run(run)
    assert engine.value("select (run).status from pgflow.watch_run(%s)", run) == "completed"
    assert engine.run(run) == before


def test_watching_many_runs_watches_those_and_no_others(engine: Engine) -> None:
    engine.define({"a": []})
    engine.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(n) for n in range(4)], p_watched=False)
    runs = [row["run_id"] for row in engine.rows("select run_id from pgflow.runs order by input")]

    watched = engine.rows("select (run).run_id from pgflow.watch_runs(%s)", [*runs[:2], NOBODY])

    assert {row["run_id"] for row in watched} == set(runs[:2])
    assert [engine.run(run)["watched"] for run in runs] == [True, True, False, False]

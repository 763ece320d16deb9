from __future__ import annotations

from tests.plugins.engine import NOBODY, Engine, fanout

SNAPSHOT = """
    select to_jsonb(run) as run, to_jsonb(steps) as steps from pgflow.get_run_with_states(%s)
"""


def test_a_snapshot_is_the_run_and_its_steps_by_slug(engine: Engine) -> None:
    engine.define({"b": [], "a": fanout("b"), "c": ["a"]})
    run_id = engine.start()
    engine.complete(engine.poll_one(), [1, 2])

    snapshot = engine.row(SNAPSHOT, run_id)

    assert snapshot["run"] == engine.value("select to_jsonb(r) from pgflow.runs as r")
    assert snapshot["steps"] == [
        row["step"] for row in engine.rows("select to_jsonb(s) as step from pgflow.step_states as s order by step_slug")
    ]
    assert [step["status"] for step in snapshot["steps"]] == ["started", "completed", "created"]


def test_other_runs_do_not_mix_in(engine: Engine) -> None:
    engine.define({"a": []})
    runs = [engine.start(n) for n in range(3)]
    assert [len(engine.row(SNAPSHOT, run)["steps"]) for run in runs] == [1, 1, 1]


def test_an_unknown_run_has_no_row(engine: Engine) -> None:
    assert engine.rows(SNAPSHOT, NOBODY) == []


def test_a_run_without_steps_has_an_empty_array(engine: Engine) -> None:
    engine.define({})
    assert engine.row(SNAPSHOT, engine.start())["steps"] == []

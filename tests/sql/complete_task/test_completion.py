from __future__ import annotations

from itertools import pairwise

from psycopg.types.json import Jsonb

from tests.plugins.engine import NOBODY, Engine, both_paths, fanout


@both_paths
def test_a_chain_passes_its_outputs_on(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": ["b"]})
    run = engine.start({"x": 1})
    worked = engine.work({slug: slug.upper() for slug in "abc"})

    assert [(task.step_slug, task.input) for task in worked] == [
        ("a", {"run": {"x": 1}, "deps": {}}),
        ("b", {"run": {"x": 1}, "deps": {"a": "A"}}),
        ("c", {"run": {"x": 1}, "deps": {"b": "B"}}),
    ]
    assert engine.run(run)["output"] == {"c": "C"}
    assert engine.statuses(run) == {"a": "completed", "b": "completed", "c": "completed"}


@both_paths
def test_a_diamond_joins_when_both_sides_are_done(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    run = engine.start()
    engine.complete(engine.poll_one())
    b, c = engine.poll()
    engine.complete(b, 1)
    assert engine.statuses(run)["d"] == "created"
    assert engine.step(run, "d")["remaining_deps"] == 1
    engine.complete(c, 2)
    assert engine.poll_one().input["deps"] == {"b": 1, "c": 2}


@both_paths
def test_both_sides_of_a_diamond_may_be_reported_together(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    run = engine.start()
    assert [task.step_slug for task in engine.work({"d": "end"})] == ["a", "b", "c", "d"]
    assert engine.run(run)["output"] == {"d": "end"}


@both_paths
def test_a_layered_graph_costs_its_edges_not_its_paths(engine: Engine) -> None:
    layers = [[f"l{layer}_{n}" for n in range(3)] for layer in range(12)]
    steps: dict[str, list[str]] = {slug: [] for slug in layers[0]}
    for above, below in pairwise(layers):
        steps.update(dict.fromkeys(below, above))
    engine.define(steps)
    run = engine.start()
    assert len(engine.work(qty=100)) == 36
    assert engine.run(run)["status"] == "completed"


@both_paths
def test_one_step_may_start_two_hundred_and_one_may_join_them(engine: Engine) -> None:
    wide = [f"w{n}" for n in range(200)]
    engine.define({"a": [], **{slug: ["a"] for slug in wide}, "join": wide})
    run = engine.start()
    assert len(engine.work(dict.fromkeys(wide, 1) | {"join": "end"}, qty=70)) == 202
    assert engine.run(run)["output"] == {"join": "end"}


@both_paths
def test_every_leaf_is_in_the_output_and_nothing_else(engine: Engine) -> None:
    engine.define({"a": [], "leaf": ["a"], "b": ["a"], "end": fanout("b"), "alone": []})
    run = engine.start()
    engine.work({"b": [1, 2], "end": lambda task: task.input["item"], "leaf": "x", "alone": None})
    assert engine.run(run)["output"] == {"leaf": "x", "end": [1, 2], "alone": None}


@both_paths
def test_a_completed_step_and_run_say_so(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    task = engine.poll_one()
    row = engine.complete(task, {"x": 1})

    assert (row["status"], row["output"], row["error_message"], row["failed_at"]) == ("completed", {"x": 1}, None, None)
    assert row["queued_at"] <= row["started_at"] <= row["completed_at"]
    step = engine.step(run, "a")
    assert (step["status"], step["output"], step["remaining_tasks"]) == ("completed", {"x": 1}, 0)
    assert step["started_at"] <= row["started_at"] <= step["completed_at"]
    after = engine.run(run)
    assert (after["status"], after["remaining_steps"], after["failed_at"]) == ("completed", 0, None)
    assert step["completed_at"] <= after["completed_at"]


@both_paths
def test_the_message_of_a_completed_task_is_gone_and_nothing_is_archived(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    engine.work()
    assert engine.messages() == []
    assert engine.rows("select * from pgmq.a_flow") == []


@both_paths
def test_remaining_steps_count_down(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run = engine.start()
    assert engine.run(run)["remaining_steps"] == 2
    engine.complete(engine.poll_one())
    assert engine.run(run)["remaining_steps"] == 1
    assert engine.run(run)["output"] is None


@both_paths
def test_a_steps_start_is_its_own_and_not_the_transactions(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run = engine.start()
    engine.complete(engine.poll_one())
    assert engine.step(run, "a")["completed_at"] <= engine.step(run, "b")["started_at"]
    assert engine.step(run, "b")["started_at"] > engine.value("select now()")


def test_the_task_is_returned_as_it_then_is(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one()
    row = engine.row(
        "select * from pgflow.complete_task(%s, %s, %s, %s, %s)",
        task.run_id,
        task.step_slug,
        task.task_index,
        Jsonb(1),
        task.token,
    )
    assert row == engine.task(task)
    assert row["status"] == "completed"


def test_a_report_without_a_token_is_taken(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.poll_one()
    engine.do("select pgflow.complete_task(%s, 'a', 0, '1')", run)
    assert engine.run(run)["output"] == {"a": 1}


def test_a_missing_output_is_json_null(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.poll_one()
    engine.do("select pgflow.complete_task(%s, 'a', 0, null)", run)
    assert engine.value("select output::text from pgflow.step_tasks") == "null"
    assert engine.run(run)["output"] == {"a": None}


def test_an_unknown_task_has_no_row_and_is_no_error(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    report = "select * from pgflow.complete_task(%s, %s, %s, '1')"
    assert engine.rows(report, NOBODY, "a", 0) == []
    assert engine.rows(report, run, "missing", 0) == []
    assert engine.rows(report, run, "a", 1) == []
    assert engine.run(run)["status"] == "started"

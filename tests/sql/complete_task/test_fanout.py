from __future__ import annotations

import random

from tests.plugins.engine import Engine, both_paths, fanout


@both_paths
def test_a_fanout_has_a_task_for_each_element(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), ["x", "y", "z"])

    step = engine.step(run, "b")
    assert (step["status"], step["initial_tasks"], step["remaining_tasks"]) == ("started", 3, 3)
    tasks = sorted(engine.poll(), key=lambda task: task.task_index)
    assert [(task.task_index, task.input) for task in tasks] == [
        (0, {"item": "x"}),
        (1, {"item": "y"}),
        (2, {"item": "z"}),
    ]


@both_paths
def test_its_output_is_in_item_order_whoever_ends_first(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = engine.start()
    engine.complete(engine.poll_one(), list(range(30)))
    tasks = engine.poll(30)
    random.Random(7).shuffle(tasks)
    engine.complete_all((task, task.input["item"] * 10) for task in tasks)

    assert engine.step(run, "b")["output"] == [n * 10 for n in range(30)]
    assert engine.poll_one().input["deps"] == {"b": [n * 10 for n in range(30)]}


@both_paths
def test_it_completes_with_its_last_task(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2, 3])
    first, second, third = engine.poll()
    for task, remaining in ((second, 2), (third, 1)):
        engine.complete(task)
        assert engine.step(run, "b")["remaining_tasks"] == remaining
        assert engine.step(run, "b")["output"] is None
    engine.complete(first)
    assert engine.statuses(run)["b"] == "completed"


@both_paths
def test_a_fanout_may_follow_a_fanout(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": fanout("b"), "d": ["c"]})
    run = engine.start()
    engine.work({"a": [1, 2, 3], "b": lambda t: t.input["item"] * 10, "c": lambda t: t.input["item"] + 1, "d": "done"})
    assert engine.step(run, "c")["output"] == [11, 21, 31]
    assert engine.run(run)["output"] == {"d": "done"}


@both_paths
def test_several_fanouts_may_share_a_dependency(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": fanout("a"), "d": ["a", "b", "c"]})
    run = engine.start()
    engine.work(
        {"a": [1, 2], "b": lambda t: t.input["item"], "c": lambda t: -t.input["item"], "d": lambda t: t.input["deps"]}
    )
    assert engine.run(run)["output"] == {"d": {"a": [1, 2], "b": [1, 2], "c": [-1, -2]}}


@both_paths
def test_a_single_step_may_stand_beside_a_fanout(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["a"]})
    run = engine.start()
    engine.work({"a": [1]})
    assert engine.run(run)["output"] == {"b": [None], "c": None}


@both_paths
def test_two_hundred_tasks(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "sum": ["b"]})
    run = engine.start()
    engine.work(
        {"a": list(range(200)), "b": lambda t: t.input["item"], "sum": lambda t: sum(t.input["deps"]["b"])}, qty=40
    )
    assert engine.run(run)["output"] == {"sum": 19900}


@both_paths
def test_a_retried_task_keeps_its_item(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), [{"url": "x" * 500}])
    engine.fail(engine.poll_one())
    retried = engine.poll_one()
    assert retried.input == {"item": {"url": "x" * 500}}
    engine.complete(retried)
    assert engine.run(run)["status"] == "completed"

from __future__ import annotations

from tests.plugins.engine import Engine, Step, both_paths, fanout


@both_paths
def test_a_fanout_over_an_empty_array_completes_at_once(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = engine.start()
    engine.complete(engine.poll_one(), [])

    step = engine.step(run, "b")
    assert (step["status"], step["output"], step["initial_tasks"], step["remaining_tasks"]) == ("completed", [], 0, 0)
    assert step["started_at"] <= step["completed_at"]
    assert engine.tasks(run, "b") == []
    assert engine.poll_one().input["deps"] == {"b": []}


@both_paths
def test_a_chain_of_sixty_ends_the_run(engine: Engine) -> None:
    chain: dict[str, Step | list[str]] = {"s0": []}
    chain.update({f"s{n}": fanout(f"s{n - 1}") for n in range(1, 61)})
    engine.define(chain)
    run = engine.start()
    engine.complete(engine.poll_one(), [])
    assert engine.run(run)["output"] == {"s60": []}
    assert set(engine.statuses(run).values()) == {"completed"}


@both_paths
def test_a_join_starts_after_the_last_of_its_empty_dependencies(engine: Engine) -> None:
    engine.define(
        {
            "a": [],
            "b": fanout("a"),
            "c": fanout("b"),
            "d": fanout("a"),
            "join": ["a", "b", "c", "d"],
            "e": fanout("join"),
        }
    )
    run = engine.start()
    engine.complete(engine.poll_one(), [])
    assert engine.run(run)["remaining_steps"] == 2
    join = engine.poll_one()
    assert join.input["deps"] == {"a": [], "b": [], "c": [], "d": []}
    engine.complete(join, [])
    assert engine.run(run)["output"] == {"e": []}


@both_paths
def test_an_empty_branch_does_not_end_the_run_of_the_other(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "other": []})
    run = engine.start()
    a, other = engine.poll()
    engine.complete(a, [])
    assert engine.run(run)["status"] == "started"
    engine.complete(other, 1)
    assert engine.run(run)["output"] == {"b": [], "other": 1}


@both_paths
def test_a_single_step_under_an_empty_fanout_feeds_the_next(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"], "d": fanout("c"), "e": fanout("d")})
    run = engine.start()
    engine.work({"a": [], "c": [1, 2], "d": lambda task: task.input["item"], "e": lambda task: task.input["item"]})
    assert engine.run(run)["output"] == {"e": [1, 2]}


@both_paths
def test_the_empty_end_of_one_run_leaves_other_runs_alone(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    empty, full = engine.start(), engine.start()
    engine.complete_all(zip(engine.poll(), ([], [1]), strict=True))
    assert engine.statuses(empty) == {"a": "completed", "b": "completed"}
    assert engine.statuses(full) == {"a": "completed", "b": "started"}

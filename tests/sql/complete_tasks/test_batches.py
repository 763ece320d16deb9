from __future__ import annotations

from psycopg.types.json import Jsonb

from tests.plugins.engine import NOBODY, Engine, fanout


def test_reports_of_several_flows_go_together(engine: Engine) -> None:
    engine.define({"a": []}, flow="one")
    engine.define({"a": [], "b": fanout("a")}, flow="Two")
    first, second = engine.start(flow="one"), engine.start(flow="Two")
    tasks = engine.poll(flow=["one", "Two"])
    assert engine.complete_tasks((task, [1, 2]) for task in tasks) == []
    assert engine.run(first)["output"] == {"a": [1, 2]}
    assert engine.statuses(second) == {"a": "completed", "b": "started"}


def test_many_runs_and_both_types_of_steps_go_together(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "other": [], "end": ["b", "other"]})
    runs = [engine.start(n) for n in range(20)]
    engine.path = "set-based"
    engine.work(
        {
            "a": lambda task: [task.input["run"]] * 2,
            "b": lambda task: task.input["item"],
            "end": lambda task: task.input["deps"]["b"],
        },
        qty=50,
    )
    assert [engine.run(run)["output"] for run in runs] == [{"end": [n, n]} for n in range(20)]


def test_a_whole_run_may_end_in_one_batch(engine: Engine) -> None:
    engine.define({f"s{n}": [] for n in range(10)})
    run = engine.start()
    assert engine.complete_tasks((task, task.step_slug) for task in engine.poll()) == []
    assert engine.run(run)["output"] == {f"s{n}": f"s{n}" for n in range(10)}


def test_one_of_two_equal_reports_is_taken(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    task = engine.poll_one()
    assert engine.complete_tasks([(task, 1), (task, 1)]) == [("a", 0)]
    assert engine.run(run)["output"] == {"a": 1}


def test_equal_reports_of_a_fanouts_task_count_once(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2])
    first, second = engine.poll()
    assert engine.complete_tasks([(first, "x"), (first, "x"), (first, "x")]) == [("b", first.task_index)] * 2
    assert engine.step(run, "b")["remaining_tasks"] == 1
    assert engine.complete_tasks([(first, "y"), (second, "z")]) == [("b", first.task_index)]
    assert engine.run(run)["output"] == {"b": ["x", "z"]}


def test_one_of_two_reports_of_a_wrong_shape_is_taken(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    task = engine.poll_one()
    assert engine.complete_tasks([(task, {}), (task, {})]) == [("a", 0)]
    assert engine.run(run)["status"] == "failed"


def test_two_wrong_shapes_of_one_run_fail_it_once(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": [], "d": fanout("c")})
    run = engine.start()
    a, c = engine.poll()
    assert engine.complete_tasks([(a, 1), (c, 2)]) == [("c", 0)]
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled", "c": "cancelled", "d": "cancelled"}


def test_what_completes_beside_a_wrong_shape_stays_completed(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": [], "d": ["c"]})
    run = engine.start()
    a, c = engine.poll()
    assert engine.complete_tasks([(a, 1), (c, 2)]) == []
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled", "c": "completed", "d": "cancelled"}
    assert engine.messages() == []


def test_a_fanout_and_its_sibling_may_complete_in_the_batch_that_ends_the_run(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["a"]})
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2, 3])
    assert engine.complete_tasks((task, task.task_index) for task in engine.poll()) == []
    assert engine.run(run)["output"] == {"b": [0, 1, 2], "c": 0}


def test_the_reports_that_changed_nothing_come_back_as_they_were_sent(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    engine.start()
    stale = engine.poll_one(lease=0)
    a, b = engine.poll()
    lost = engine.call(
        "complete_tasks",
        p_run_ids=[stale.run_id, a.run_id, NOBODY, b.run_id],
        p_step_slugs=["a", "a", "x", "missing"],
        p_task_indexes=[0, 0, 7, 0],
        p_outputs=[Jsonb(n) for n in range(4)],
        p_tokens=[stale.token, a.token, None, None],
    )
    assert [tuple(row.values()) for row in lost] == [
        (stale.run_id, "a", 0, stale.token),
        (NOBODY, "x", 7, None),
        (b.run_id, "missing", 0, None),
    ]


def test_a_batch_of_one_reports_what_changed_nothing_too(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one()
    arguments = {
        "p_run_ids": [task.run_id],
        "p_step_slugs": ["a"],
        "p_task_indexes": [0],
        "p_outputs": [Jsonb(1)],
        "p_tokens": [task.token],
    }
    assert engine.call("complete_tasks", **arguments) == []
    assert [tuple(row.values()) for row in engine.call("complete_tasks", **arguments)] == [
        (task.run_id, "a", 0, task.token)
    ]


def test_an_empty_batch_is_no_error(engine: Engine) -> None:
    assert engine.rows("select * from pgflow.complete_tasks('{}', '{}', '{}', '{}', '{}')") == []


def test_missing_outputs_are_json_null(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    run = engine.start()
    engine.poll()
    engine.do("select pgflow.complete_tasks(%s, '{a,b}', '{0,0}', '{null,null}', '{null,null}')", [run, run])
    assert engine.run(run)["output"] == {"a": None, "b": None}

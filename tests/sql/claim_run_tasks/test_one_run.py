from __future__ import annotations

from uuid import UUID

from tests.plugins.engine import NOBODY, Engine, Task, fanout, single


def claim(engine: Engine, run: UUID) -> list[Task]:
    return [Task(**row) for row in engine.call("claim_run_tasks", p_run_id=run, p_lease=30)]


def test_it_claims_the_tasks_of_one_run_and_no_other(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    run, other = engine.start(1), engine.start(2)
    tasks = claim(engine, run)
    assert [(task.run_id, task.step_slug, task.input) for task in tasks] == [
        (run, slug, {"run": 1, "deps": {}}) for slug in "ab"
    ]
    assert engine.statuses(other) == {"a": "started", "b": "started"}
    assert [task["status"] for task in engine.tasks(other, "a")] == ["queued"]


def test_no_delay_holds_it_up(engine: Engine) -> None:
    engine.define({"a": single(start_delay=1000), "b": single("a", base_delay=1000)})
    run = engine.start()
    engine.complete(*claim(engine, run))
    (b,) = claim(engine, run)
    engine.fail(b)
    (again,) = claim(engine, run)
    assert again.attempts_count == 2
    engine.complete(again, "done")
    assert engine.run(run)["output"] == {"b": "done"}


def test_started_tasks_are_left_to_whoever_has_them(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.poll_one(lease=0)
    assert claim(engine, run) == []


def test_all_tasks_of_a_fanout_come_at_once(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), list(range(50)))
    assert sorted(task.input["item"] for task in claim(engine, run)) == list(range(50))
    assert engine.messages()[0]["hidden"] > 20


def test_a_run_that_is_over_or_unknown_has_none(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.work()
    assert claim(engine, run) == []
    assert claim(engine, NOBODY) == []

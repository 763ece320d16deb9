from __future__ import annotations

from tests.plugins.engine import Engine, fanout
from tests.plugins.listening import Ear


def test_a_task_handed_back_is_visible_at_once_and_the_attempt_not_counted(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    first = engine.poll_one()
    assert engine.release(first) == []

    (task,) = engine.tasks(run, "a")
    assert (task["status"], task["attempts_count"], task["started_at"]) == ("queued", 0, None)
    second = engine.poll_one()
    assert second.attempts_count == 1
    assert second.token > first.token
    assert second.msg_id == first.msg_id


def test_handing_back_never_uses_up_the_attempts(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=2)
    run = engine.start()
    for _ in range(5):
        engine.release(engine.poll_one())
    engine.work()
    assert engine.run(run)["status"] == "completed"


def test_a_failed_attempt_before_is_still_counted(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=2)
    run = engine.start()
    engine.fail(engine.poll_one(), "first")
    engine.release(engine.poll_one())
    engine.fail(engine.poll_one(), "second")
    assert engine.run(run)["error_message"] == "second"


def test_what_was_lost_before_comes_back_and_stays_as_it_is(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "c": []})
    run = engine.start()
    a, b, c = sorted(engine.poll(lease=0), key=lambda task: task.step_slug)
    engine.complete(a)
    engine.release(b)
    assert len(engine.poll()) == 2
    assert engine.release(a, b, c) == [("a", 0), ("b", 0), ("c", 0)]
    assert [engine.tasks(run, slug)[0]["attempts_count"] for slug in "abc"] == [1, 1, 2]


def test_the_same_task_twice_is_handed_back_once(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    task = engine.poll_one()
    assert engine.release(task, task) == [("a", 0)]
    assert engine.tasks(run, "a")[0]["attempts_count"] == 0


def test_tasks_of_several_flows_and_runs_go_together(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")}, flow="one")
    engine.define({"a": []}, flow="two")
    engine.start(flow="one")
    engine.complete(engine.poll_one(flow="one"), [1, 2, 3])
    engine.start(flow="two")
    tasks = engine.poll(flow=["one", "two"])
    assert len(tasks) == 4
    assert engine.release(*tasks) == []
    assert len(engine.poll(flow=["one", "two"])) == 4


def test_nothing_to_hand_back_is_no_error(engine: Engine) -> None:
    assert engine.release() == []


def test_it_wakes_whoever_sleeps_and_tells_nobody_else(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    run = committed.start()
    task = committed.poll_one()
    committed.do("select pgflow.sleep_on_queues(gen_random_uuid(), array['flow'], 60)")
    ear.listen_on("pgflow:queue:flow")
    ear.listen_to(run)
    committed.release(task)
    assert ear.wake_ups() == [""]
    assert ear.names(run) == []

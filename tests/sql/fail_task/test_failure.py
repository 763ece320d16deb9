from __future__ import annotations

from tests.plugins.engine import NOBODY, Engine, both_paths, fanout


@both_paths
def test_the_last_attempt_fails_task_step_and_run(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    task = engine.fail(engine.poll_one(), "it broke", traceback="line 1")

    assert (task["status"], task["error_message"], task["traceback"]) == ("failed", "it broke", "line 1")
    assert (task["output"], task["completed_at"]) == (None, None)
    step, after = engine.step(run, "a"), engine.run(run)
    assert (step["status"], step["error_message"], step["output"]) == ("failed", "it broke", None)
    assert (after["status"], after["error_message"], after["output"]) == ("failed", "it broke", None)
    assert task["started_at"] <= task["failed_at"] <= step["failed_at"] <= after["failed_at"]
    assert engine.messages() == []
    assert engine.rows("select * from pgmq.a_flow") == []


@both_paths
def test_open_steps_and_tasks_are_cancelled_and_their_messages_go(engine: Engine) -> None:
    engine.define({"a": [], "started": [], "queued": [], "done": [], "waiting": ["a"]}, max_attempts=1)
    run = engine.start()
    tasks = {task.step_slug: task for task in engine.poll(4)}
    engine.release(tasks["queued"])
    engine.complete(tasks["done"], 1)
    engine.fail(tasks["a"])

    assert engine.statuses(run) == {
        "a": "failed",
        "started": "cancelled",
        "queued": "cancelled",
        "done": "completed",
        "waiting": "cancelled",
    }
    assert [engine.tasks(run, slug)[0]["status"] for slug in ("started", "queued", "done")] == [
        "cancelled",
        "cancelled",
        "completed",
    ]
    assert engine.messages() == []
    assert engine.run(run)["failed_at"] is not None


@both_paths
def test_one_task_fails_its_whole_fanout(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]}, max_attempts=1)
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2, 3, 4])
    first, second, _ = engine.poll(3)
    engine.complete(first, "done")
    engine.fail(second)
    assert [task["status"] for task in engine.tasks(run, "b")] == ["completed", "failed", "cancelled", "cancelled"]
    assert engine.tasks(run, "b")[0]["output"] == "done"
    assert engine.statuses(run) == {"a": "completed", "b": "failed", "c": "cancelled"}
    assert engine.messages() == []


@both_paths
def test_other_runs_go_on(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    failing, other = engine.start(), engine.start()
    first, second = engine.poll()
    engine.fail(first)
    engine.complete(second)
    assert [engine.run(run)["status"] for run in (failing, other)] == ["failed", "completed"]


@both_paths
def test_the_second_of_two_failing_branches_changes_nothing(engine: Engine) -> None:
    engine.define({"a": [], "b": []}, max_attempts=1)
    run = engine.start()
    a, b = engine.poll()
    engine.fail(a, "first")
    before = engine.run(run)
    assert engine.fail(b, "second")["status"] == "cancelled"
    assert engine.run(run) == before
    assert before["error_message"] == "first"


def test_the_task_is_returned_as_it_then_is(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one()
    report = "select * from pgflow.fail_task(%s, %s, %s, 'it broke', %s)"
    row = engine.row(report, task.run_id, task.step_slug, task.task_index, task.token)
    assert row == engine.task(task)
    assert row["status"] == "queued"


def test_a_report_without_a_token_is_taken(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    engine.poll_one()
    engine.do("select pgflow.fail_task(%s, 'a', 0, 'it broke')", run)
    assert engine.run(run)["status"] == "failed"


def test_an_unknown_task_has_no_row_and_is_no_error(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    report = "select * from pgflow.fail_task(%s, %s, %s, 'it broke')"
    assert engine.rows(report, NOBODY, "a", 0) == []
    assert engine.rows(report, run, "missing", 0) == []
    assert engine.rows(report, run, "a", 1) == []
    assert engine.run(run)["status"] == "started"

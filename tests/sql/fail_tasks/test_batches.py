from __future__ import annotations

from uuid import UUID

from tests.plugins.engine import NOBODY, Engine, Task, fanout


def test_each_report_has_a_verdict_of_its_own(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=3)
    runs = [engine.start() for _ in range(4)]
    tasks = engine.poll()
    engine.call(
        "fail_tasks",
        p_run_ids=runs,
        p_step_slugs=["a"] * 4,
        p_task_indexes=[0] * 4,
        p_error_messages=["one", "two", "three", None],
        p_tokens=[task.token for task in tasks],
        p_permanent=[False, True, False, None],
        p_retry_delays=[100.0, None, None, None],
        p_tracebacks=[None, "line 1", None, None],
    )
    rows = [engine.tasks(run, "a")[0] for run in runs]
    assert [row["status"] for row in rows] == ["queued", "failed", "queued", "queued"]
    assert [row["error_message"] for row in rows] == ["one", "two", "three", ""]
    assert rows[1]["traceback"] == "line 1"
    assert [message["hidden"] > 90 for message in engine.messages()] == [True, False, False]


def test_reports_of_several_flows_go_together(engine: Engine) -> None:
    engine.define({"a": []}, flow="one", max_attempts=1)
    engine.define({"a": []}, flow="two", max_attempts=2)
    one, two = engine.start(flow="one"), engine.start(flow="two")
    assert engine.fail_tasks((task, "it broke") for task in engine.poll(flow=["one", "two"])) == []
    assert [engine.run(run)["status"] for run in (one, two)] == ["failed", "started"]


def test_of_equal_reports_one_is_taken(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=3)
    run = engine.start()
    task = engine.poll_one()
    assert engine.fail_tasks([(task, "it broke")] * 3) == [("a", 0)] * 2
    assert engine.tasks(run, "a")[0]["attempts_count"] == 1


def test_a_report_after_one_that_failed_its_run_changes_nothing(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")}, max_attempts=1)
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2])
    first, second = engine.poll()
    assert engine.fail_tasks([(first, "first"), (second, "second")]) == [("b", second.task_index)]
    assert engine.run(run)["error_message"] == "first"


def test_the_reports_that_changed_nothing_come_back_as_they_were_sent(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    stale = engine.poll_one(lease=0)
    engine.poll_one()

    def report(run_id: UUID, slug: str, index: int) -> Task:
        return Task("flow", run_id, slug, None, 0, index, 9, 0)

    lost = [stale, report(NOBODY, "x", 7), report(run, "missing", 0)]
    assert engine.fail_tasks((task, "late") for task in lost) == [("a", 0), ("x", 7), ("missing", 0)]


def test_an_empty_batch_is_no_error(engine: Engine) -> None:
    assert engine.fail_tasks([]) == []

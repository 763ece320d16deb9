"""A task's result is taken once. Whatever comes late, twice, or from an attempt that lost its lease changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugins.engine import Engine, Row, Task, both_paths, fanout

Report = Callable[[Engine, Task, int | None], Row]


def complete(engine: Engine, task: Task, token: int | None) -> Row:
    return engine.complete(task, "late", token=token)


def fail(engine: Engine, task: Task, token: int | None) -> Row:
    return engine.fail(task, "late", token=token, permanent=True)


every_report = pytest.mark.parametrize("report", [complete, fail])
with_or_without_token = pytest.mark.parametrize("fenced", [True, False], ids=["fenced", "unfenced"])


def everything(engine: Engine) -> list[Row]:
    tables = ("runs", "step_states", "step_tasks")
    return [row for table in tables for row in engine.rows(f"select o.* from pgflow.{table} as o order by 1, 2, 3")]


@both_paths
@every_report
@with_or_without_token
def test_a_second_report_changes_nothing(engine: Engine, report: Report, fenced: bool) -> None:
    engine.define({"a": [], "b": ["a"]})
    engine.start()
    task = engine.poll_one()
    engine.complete(task, "first")
    before = everything(engine)
    assert report(engine, task, task.token if fenced else None)["output"] == "first"
    assert everything(engine) == before


@both_paths
@every_report
@with_or_without_token
def test_a_report_on_a_failed_task_changes_nothing(engine: Engine, report: Report, fenced: bool) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one()
    engine.fail(task, "first", permanent=True)
    before = everything(engine)
    report(engine, task, task.token if fenced else None)
    assert everything(engine) == before


@both_paths
@every_report
@with_or_without_token
def test_a_report_after_the_run_failed_changes_nothing(engine: Engine, report: Report, fenced: bool) -> None:
    engine.define({"a": [], "b": [], "c": ["b"]})
    engine.start()
    a, b = engine.poll()
    engine.fail(a, permanent=True)
    before = everything(engine)
    assert report(engine, b, b.token if fenced else None)["status"] == "cancelled"
    assert everything(engine) == before


@both_paths
@every_report
@with_or_without_token
def test_a_report_on_a_task_that_waits_for_its_retry_changes_nothing(
    engine: Engine, report: Report, fenced: bool
) -> None:
    engine.define({"a": []}, base_delay=100)
    engine.start()
    task = engine.poll_one()
    engine.fail(task, "first")
    before = everything(engine), [message["vt"] for message in engine.messages()]
    report(engine, task, task.token if fenced else None)
    assert (everything(engine), [message["vt"] for message in engine.messages()]) == before


@both_paths
@every_report
@with_or_without_token
def test_a_report_on_a_task_that_nobody_started_changes_nothing(engine: Engine, report: Report, fenced: bool) -> None:
    engine.define({"a": []})
    run = engine.start()
    (message,) = engine.messages()
    before = everything(engine)
    report(engine, Task("flow", run, "a", None, message["msg_id"], 0, 0, 0), 0 if fenced else None)
    assert everything(engine) == before
    assert engine.messages()[0]["vt"] == message["vt"]


@both_paths
@every_report
def test_a_report_of_an_attempt_that_another_replaced_changes_nothing(engine: Engine, report: Report) -> None:
    engine.define({"a": []})
    engine.start()
    stale = engine.poll_one(lease=0)
    current = engine.poll_one()
    before = everything(engine), [message["vt"] for message in engine.messages()]

    report(engine, stale, stale.token)
    report(engine, stale, stale.token + 100)

    assert (everything(engine), [message["vt"] for message in engine.messages()]) == before
    assert engine.complete(current, "current")["output"] == "current"


@both_paths
def test_a_lease_that_was_lost_but_not_taken_still_counts(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    task = engine.poll_one(lease=0)
    engine.complete(task, "in time")
    assert engine.run(run)["output"] == {"a": "in time"}
    assert engine.poll() == []


@both_paths
def test_a_token_handed_back_is_spent(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    first = engine.poll_one()
    engine.release(first)
    second = engine.poll_one()
    assert second.token > first.token
    assert engine.complete(first, "stale")["status"] == "started"
    assert engine.complete(second, "good")["output"] == "good"


@both_paths
def test_a_late_task_of_a_fanout_is_not_counted_twice(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2])
    first, second = engine.poll()
    engine.complete(first, 1)
    engine.complete(first, 1)
    assert engine.step(run, "b")["remaining_tasks"] == 1
    engine.complete(second, 2)
    assert engine.run(run)["output"] == {"b": [1, 2]}

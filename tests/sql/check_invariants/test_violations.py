from __future__ import annotations

import pytest

from tests.plugins.engine import Engine, fanout

BROKEN = {
    "remaining_steps counts the steps that are not completed": [
        "update pgflow.runs set remaining_steps = remaining_steps + 1",
        "delete from pgflow.step_states where step_slug = 'd'",
    ],
    "a run that is over has no open steps": [
        "update pgflow.runs set status = 'failed', failed_at = now(), error_message = 'x'",
        "update pgflow.step_states set status = 'cancelled' where step_slug = 'd'",
        "update pgflow.step_states set status = 'failed', failed_at = now(), error_message = 'x' where step_slug = 'b'",
    ],
    "a started run with nothing left is completed": ["update pgflow.runs set remaining_steps = 0"],
    "remaining_deps counts the dependencies that are not completed": [
        "update pgflow.step_states set remaining_deps = 2 where step_slug = 'd'",
        "update pgflow.step_states set remaining_deps = 0 where step_slug = 'd'",
    ],
    "a step that waits for nothing has started": [
        "update pgflow.step_states set remaining_deps = 0 where step_slug = 'd'"
    ],
    "a step has a task for each of its initial_tasks, and remaining_tasks counts the open ones": [
        "delete from pgflow.step_tasks where step_slug = 'b' and task_index = 1",
        "update pgflow.step_states set remaining_tasks = 1 where step_slug = 'b'",
        "update pgflow.step_states set initial_tasks = 4 where step_slug = 'b'",
        "update pgflow.step_tasks set status = 'completed', completed_at = now(), started_at = now(), output = '1' "
        "where step_slug = 'b' and task_index = 1",
    ],
    "an open task belongs to a started step, and a completed step has completed tasks only": [
        "update pgflow.step_states set status = 'cancelled' where step_slug = 'b'",
        "delete from pgflow.step_states where step_slug = 'b'",
        "update pgflow.step_tasks set status = 'cancelled', output = null, completed_at = null where step_slug = 'a'",
    ],
    "a started step with nothing left is completed": [
        "delete from pgmq.q_flow; "
        "update pgflow.step_states set remaining_tasks = 0 where step_slug = 'b'; "
        "update pgflow.step_tasks set status = 'completed', completed_at = now(), started_at = now(), output = '1' "
        "where step_slug = 'b'"
    ],
    "the output of a completed step is what its tasks returned": [
        "update pgflow.step_states set output = '[1]' where step_slug = 'a'",
        "update pgflow.step_tasks set output = '[1]' where step_slug = 'a'",
    ],
    "a row belongs to a run": ["delete from pgflow.runs"],
    "an open task has a message": [
        "delete from pgmq.q_flow",
        "update pgflow.step_tasks set message_id = message_id + 1000 where step_slug = 'b'",
    ],
    "a message has an open task": [
        "insert into pgmq.q_flow (vt, message) select vt, message from pgmq.q_flow limit 1",
        "insert into pgmq.q_flow (vt, message) values (now(), '{}')",
        "delete from pgflow.step_tasks where step_slug = 'b'",
        "update pgmq.q_flow set message = message || '{\"task_index\": 0}' where message ->> 'task_index' = '1'",
    ],
    "a task's token is not beyond its message's read count": [
        "update pgflow.step_tasks set token = 1000 where step_slug = 'b'"
    ],
    "a task of a fan-out step has its item": ["delete from pgflow.task_items where task_index = 1"],
}

CASES = [(invariant, change) for invariant, changes in BROKEN.items() for change in changes]


@pytest.fixture(autouse=True)
def run(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": [], "d": ["b"]})
    engine.start()
    a, c = engine.poll()
    engine.complete(a, ["small", "x" * 1000])
    engine.complete(c)


def test_a_sound_run_violates_nothing(engine: Engine) -> None:
    assert engine.violations() == set()
    engine.work()
    assert engine.violations() == set()


@pytest.mark.parametrize(("invariant", "change"), CASES)
def test_what_is_broken_by_hand_is_found(engine: Engine, invariant: str, change: str) -> None:
    with engine.connection.transaction(force_rollback=True):
        engine.do(change)
        assert invariant in engine.violations()


def test_a_run_whose_output_is_not_that_of_its_last_steps_is_found(engine: Engine) -> None:
    engine.work()
    with engine.connection.transaction(force_rollback=True):
        engine.do("update pgflow.runs set output = '{}'")
        assert "the output of a completed run is that of its last steps" in engine.violations()


def test_a_violation_names_what_it_is_about(engine: Engine) -> None:
    with engine.connection.transaction(force_rollback=True):
        engine.do("delete from pgmq.q_flow where message ->> 'task_index' = '1'")
        (violation,) = engine.rows("select * from pgflow.check_invariants()")
    assert violation["run_id"] == engine.value("select run_id from pgflow.runs")
    assert (violation["step_slug"], violation["task_index"]) == ("b", 1)
    assert violation["detail"]


def test_every_flow_is_looked_at(engine: Engine) -> None:
    engine.define({"a": []}, flow="Another-Flow")
    engine.start(flow="Another-Flow")
    with engine.connection.transaction(force_rollback=True):
        engine.do('delete from pgmq."q_another-flow"')
        assert engine.violations() == {"an open task has a message"}

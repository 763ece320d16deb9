"""jsonb holds at most 256 MB. What grows beyond that is a verdict on the run: an exception would come back for ever."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.plugins.engine import Engine, Task, fanout

pytestmark = pytest.mark.slow

LARGEST = 268_435_455
"""Bytes of all the elements of a jsonb array or object together."""

HALF = LARGEST // 2 + 100


def complete(engine: Engine, task: Task, size: int = HALF) -> None:
    """Report a text of so many bytes, which the server makes itself."""
    value = "to_jsonb(repeat('x', %s))"
    if engine.path == "scalar":
        report = f"select status from pgflow.complete_task(%s, %s, %s, {value}, %s)"
    else:
        report = f"""select pgflow.complete_tasks(
            array[%s, gen_random_uuid()], array[%s, ''], array[%s, 0], array[{value}, null], array[%s, null])"""
    engine.do(report, task.run_id, task.step_slug, task.task_index, size, task.token)


def verdict(engine: Engine, run: UUID) -> tuple[str, str]:
    row = engine.row("select status, error_message from pgflow.runs where run_id = %s", run)
    return row["status"], row["error_message"]


@pytest.fixture(autouse=True)
def without_compression(engine: Engine) -> None:
    """To compress hundreds of megabytes would take most of the time."""
    for table in ("step_tasks", "step_states"):
        engine.do(f"alter table pgflow.{table} alter output set storage external")


@pytest.mark.parametrize("engine", ["set-based"], indirect=True)
def test_the_outputs_of_a_fanout(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = engine.start(watched=False)
    engine.complete(engine.poll_one(), [1, 2])
    for task in engine.poll():
        complete(engine, task)
    assert verdict(engine, run) == ("failed", "The outputs of the tasks are together larger than jsonb can hold")
    assert engine.statuses(run) == {"a": "completed", "b": "failed", "c": "cancelled"}


def test_the_outputs_of_the_last_steps(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    run = engine.start(watched=False)
    for task in engine.poll():
        complete(engine, task)
    assert verdict(engine, run) == ("failed", "The outputs of the last steps are together larger than jsonb can hold")
    assert engine.statuses(run) == {"a": "completed", "b": "completed"}


def test_the_input_of_a_step(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "c": ["a", "b"]})
    run = engine.start(watched=False)
    for task in engine.poll():
        complete(engine, task)
    assert engine.poll() == []
    assert verdict(engine, run) == ("failed", "The input of the task is larger than jsonb can hold")
    assert engine.statuses(run)["c"] == "failed"


def test_an_output_that_fits_into_a_column_but_not_into_an_event(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run = engine.start(watched=True)
    complete(engine, engine.poll_one(), LARGEST - 100)
    assert engine.statuses(run)["a"] in {"completed", "failed"}

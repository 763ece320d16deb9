from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.engine import Engine, Path, both_paths, fanout
from tests.plugins.listening import Ear

SHAPES: list[tuple[Any, str]] = [
    ({"urls": []}, "object"),
    ("[]", "string"),
    (0, "number"),
    (False, "boolean"),
    (None, "null"),
]


@both_paths
@pytest.mark.parametrize(("output", "shape"), SHAPES)
def test_it_is_the_verdict_on_task_step_and_run(engine: Engine, output: Any, shape: str) -> None:
    engine.define({"a": [], "b": fanout("a")}, max_attempts=5)
    run = engine.start()
    message = f"Fanout dependency output must be an array, got {shape}"

    task = engine.complete(engine.poll_one(), output)

    assert (task["status"], task["error_message"], task["output"]) == ("failed", message, output)
    step = engine.step(run, "a")
    assert (step["status"], step["error_message"], step["output"]) == ("failed", message, None)
    after = engine.run(run)
    assert (after["status"], after["error_message"], after["output"]) == ("failed", message, None)
    assert engine.statuses(run)["b"] == "cancelled"
    assert engine.messages() == []


@both_paths
def test_the_offending_output_stays_on_the_task_even_if_it_is_null(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    engine.start()
    engine.complete(engine.poll_one(), None)
    assert engine.value("select output::text from pgflow.step_tasks") == "null"


@both_paths
def test_siblings_are_cancelled_and_their_messages_go(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "other": [], "waiting": ["other"]})
    run = engine.start()
    a, other = engine.poll()
    engine.complete(a, 1)
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled", "other": "cancelled", "waiting": "cancelled"}
    assert engine.task(other)["status"] == "cancelled"
    assert engine.messages() == []


@both_paths
def test_it_needs_only_one_fanout_among_the_dependents(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), {})
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled", "c": "cancelled"}


@both_paths
def test_a_fanouts_items_may_have_any_shape_below_a_fanout(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": fanout("b")})
    run = engine.start()
    engine.work({"a": [1], "b": {"no": "array"}, "c": lambda task: task.input["item"]})
    assert engine.run(run)["output"] == {"c": [{"no": "array"}]}


@both_paths
def test_other_reports_of_the_same_batch_are_taken(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    bad, good = engine.start(), engine.start()
    engine.complete_all(zip(engine.poll(), ({}, [1]), strict=True))
    assert engine.run(bad)["status"] == "failed"
    assert engine.statuses(good) == {"a": "completed", "b": "started"}


@both_paths
def test_a_stale_report_of_a_wrong_shape_changes_nothing(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    stale = engine.poll_one(lease=0)
    engine.poll_one()
    engine.complete(stale, {})
    assert engine.statuses(run) == {"a": "started", "b": "created"}


@pytest.mark.parametrize("path", ["scalar", "set-based"])
def test_the_step_fails_and_then_the_run_each_once(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": fanout("a")})
    run = committed.start()
    ear.listen_to(run)
    committed.complete(committed.poll_one(), {})

    failed, over = ear.events(run)

    message = "Fanout dependency output must be an array, got object"
    assert (failed.name, failed.payload["error_message"]) == ("a:failed", message)
    assert (over.name, over.payload["error_message"]) == ("run:failed", message)

"""``pgflow show``: one run with its steps, tasks, attempts and errors."""

from __future__ import annotations

import json

import pytest

from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import NOBODY, Engine, Steps, fanout

FANOUT: Steps = {"list": [], "each": fanout("list"), "sum": ["each"]}


def test_it_shows_steps_tasks_and_values(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(FANOUT)
    run_id = engine.start({"of": "Springfield"})
    engine.work({"list": [1, 2, 3], "each": 5, "sum": 15})

    text = pgflow.output("show", str(run_id))
    assert text.startswith(f"run {run_id} of flow  ✓ completed after ")
    assert 'input: {"of": "Springfield"}\noutput: {"sum": 15}\n' in text
    assert "✓  each  ━━━" in text
    assert "3 of 3 tasks" in text
    assert "output of each: [5, 5, 5]" in text
    assert [line.split()[:5] for line in text.splitlines() if line.startswith("each ")] == [
        ["each", str(index), "✓", "completed", "1/3"] for index in range(3)
    ]


def test_a_task_that_failed_comes_with_its_attempts_and_error(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]}, max_attempts=2)
    run_id = engine.start()
    engine.fail(engine.poll(1)[0], "too early")
    engine.fail(engine.poll(1)[0], "too late", traceback="Traceback:\n  too late")

    text = pgflow.output("show", str(run_id))
    assert "✗ failed after" in text
    assert "- b cancelled" in " ".join(text.split())
    assert "2 failed attempts" in text
    assert "✗ failed       2/2" in text
    assert "traceback" not in text
    assert "traceback of a, task 0\nTraceback:\n  too late\n" in pgflow.output("show", str(run_id), "--full")


def test_of_many_tasks_it_shows_a_few_and_those_that_failed_first(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(FANOUT, max_attempts=1)
    run_id = engine.start()
    engine.complete(engine.poll(1)[0], list(range(40)))
    tasks = engine.poll(40)
    engine.fail(tasks[33], "the 33rd")

    text = pgflow.output("show", str(run_id), "--tasks", "2")
    assert [line.split()[1] for line in text.splitlines() if line.startswith("each ")] == ["0", "33"]
    assert "and 38 other tasks: --tasks shows more" in text


def test_large_values_are_cut_unless_the_whole_is_wanted(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []})
    run_id = str(engine.start("y" * 5000))

    assert "y" * 400 not in pgflow.output("show", run_id)
    assert "y" * 5000 in pgflow.output("show", run_id, "--full")
    engine.work()


def test_json_has_whole_values_and_every_task(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(FANOUT)
    run_id = engine.start("y" * 5000)
    engine.work({"list": list(range(30)), "each": None, "sum": {"total": 1.5}})

    document = json.loads(pgflow.output("show", str(run_id), "--json"))
    assert document["input"] == "y" * 5000
    assert document["output"] == {"sum": {"total": 1.5}}
    assert [(step["slug"], step["deps"], step["tasks"]) for step in document["steps"]] == [
        ("list", [], 1),
        ("each", ["list"], 30),
        ("sum", ["each"], 1),
    ]
    assert len(document["tasks"]) == 32


def test_it_prints_pictures_for_other_programs(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(FANOUT)
    run_id = str(engine.start())

    assert pgflow.output("show", run_id, "--mermaid").startswith('flowchart TD\n    s0["▶ list<br/>')
    assert 'data-step="each" data-status="created"' in pgflow.output("show", run_id, "--svg")


def test_a_run_that_is_not_there_is_said_in_one_line(pgflow: Pgflow) -> None:
    assert pgflow.output("show", str(NOBODY), status=1) == f"Error: there is no run {NOBODY}\n"


@pytest.mark.parametrize("command", ["show", "watch"])
def test_what_is_no_run_id_is_refused(pgflow: Pgflow, command: str) -> None:
    assert "'latest' is no run id: a run id is a UUID; `pgflow runs` lists them" in pgflow.output(
        command, "latest", status=2
    )

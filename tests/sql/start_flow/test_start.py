from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import FALSY, Engine, both_paths, fanout, single


def test_a_run_starts_with_all_its_steps(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": fanout("b")})
    (run,) = engine.call("start_flow", flow_slug="flow", input=Jsonb({"x": 1}))

    assert (run["status"], run["input"], run["remaining_steps"], run["watched"]) == ("started", {"x": 1}, 3, True)
    assert [run[name] for name in ("output", "error_message", "completed_at", "failed_at")] == [None] * 4
    assert engine.statuses(run["run_id"]) == {"a": "started", "b": "created", "c": "created"}


def test_the_parameters_keep_their_order(engine: Engine) -> None:
    engine.define({"a": []})
    run_id = uuid4()
    run = engine.row("select * from pgflow.start_flow('flow', '1', %s, 'key', false)", run_id)
    assert (run["run_id"], run["idempotency_key"], run["watched"]) == (run_id, "key", False)


def test_counters_say_what_each_step_waits_for(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": fanout("b"), "d": ["a", "b", "c"]})
    run = engine.start()
    counters = {
        slug: tuple(engine.step(run, slug)[name] for name in ("remaining_deps", "initial_tasks", "remaining_tasks"))
        for slug in "abcd"
    }
    assert counters == {"a": (0, 1, 1), "b": (1, 1, None), "c": (1, None, None), "d": (3, 1, None)}


def test_every_root_step_is_queued(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "c": ["a", "b"]})
    run = engine.start()
    assert engine.statuses(run) == {"a": "started", "b": "started", "c": "created"}
    assert [message["message"] for message in engine.messages()] == [
        {"flow_slug": "flow", "run_id": str(run), "step_slug": slug, "task_index": 0} for slug in "ab"
    ]
    assert [task["status"] for slug in "ab" for task in engine.tasks(run, slug)] == ["queued", "queued"]


def test_a_start_delay_hides_the_first_message(engine: Engine) -> None:
    engine.define({"a": single(start_delay=100)})
    engine.start()
    (message,) = engine.messages()
    assert 99 < message["hidden"] <= 100
    assert engine.poll() == []


def test_a_flow_without_steps_completes_at_once(engine: Engine) -> None:
    engine.define({})
    (run,) = engine.call("start_flow", flow_slug="flow", input=None)
    assert (run["status"], run["output"], run["remaining_steps"]) == ("completed", {}, 0)


@pytest.mark.parametrize("value", [*FALSY, "123", "null", {"nested": None}])
def test_an_input_is_kept_as_it_is(engine: Engine, value: object) -> None:
    engine.define({"a": []})
    run = engine.start(value)
    assert engine.run(run)["input"] == value
    assert type(engine.run(run)["input"]) is type(value)
    assert engine.poll_one().input == {"run": value, "deps": {}}


def test_no_input_is_json_null(engine: Engine) -> None:
    engine.define({"a": []})
    engine.do("select pgflow.start_flow('flow', null)")
    assert engine.value("select input::text from pgflow.runs") == "null"


def test_two_hundred_roots_start_together_and_join(engine: Engine) -> None:
    roots = [f"root_{n}" for n in range(200)]
    engine.define({**{root: [] for root in roots}, "join": roots})
    run = engine.start()
    assert len(engine.messages()) == 200
    engine.work({root: root for root in roots} | {"join": lambda task: len(task.input["deps"])}, qty=50)
    assert engine.run(run)["output"] == {"join": 200}


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.start(flow="nowhere")
    assert refusal.value.sqlstate == "PF001"
    assert refusal.value.diag.message_primary == "there is no flow 'nowhere' in the database"


@both_paths
@pytest.mark.parametrize("later", ["single", "fanout"])
def test_a_step_added_later_is_none_of_a_runs_business(engine: Engine, later: str) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.call("add_step", flow_slug="flow", step_slug="b", deps_slugs=["a"], step_type=later)
    engine.work({"a": "no array"})
    assert engine.run(run)["output"] == {"a": "no array"}

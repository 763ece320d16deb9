from __future__ import annotations

from tests.plugins.engine import Engine, fanout

LARGE = "x" * 1000


def left(engine: Engine) -> dict[str, int]:
    tables = ("flows", "steps", "deps", "runs", "step_states", "step_tasks", "task_items", "sleeping_workers")
    counts = {table: engine.value(f"select count(*) from pgflow.{table}") for table in tables}
    return {table: count for table, count in counts.items() if count}


def test_a_flow_goes_with_its_runs_and_its_queue(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    engine.start()
    engine.complete(engine.poll_one(), [LARGE, LARGE])
    engine.do("select pgflow.sleep_on_queues(gen_random_uuid(), array['flow'], 60)")

    engine.call("delete_flow", p_flow_slug="flow")

    assert left(engine) == {}
    assert engine.value("select to_regclass('pgmq.q_flow')") is None


def test_other_flows_stay(engine: Engine) -> None:
    engine.define({"a": []}, flow="other")
    engine.start(flow="other")
    engine.define({"a": []})
    engine.start()

    engine.call("delete_flow", p_flow_slug="flow")

    assert left(engine) == {"flows": 1, "steps": 1, "runs": 1, "step_states": 1, "step_tasks": 1}


def test_an_unknown_flow_is_no_error(engine: Engine) -> None:
    engine.call("delete_flow", p_flow_slug="nowhere")
    assert left(engine) == {}


def test_a_slug_in_another_case_deletes_nothing(engine: Engine) -> None:
    engine.define({"a": []})
    engine.call("delete_flow", p_flow_slug="FLOW")
    assert engine.messages() == []
    assert left(engine) == {"flows": 1, "steps": 1}


def test_the_slug_is_free_again(engine: Engine) -> None:
    engine.define({"a": []})
    engine.call("delete_flow", p_flow_slug="flow")
    engine.define({"b": [], "c": ["b"]})
    run = engine.start()
    engine.work()
    assert engine.run(run)["output"] == {"c": None}


def test_reports_about_deleted_runs_change_nothing(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one()
    engine.call("delete_flow", p_flow_slug="flow")

    assert engine.complete_tasks([(task, 1)]) == [("a", 0)]
    assert engine.fail_tasks([(task, "it broke")]) == [("a", 0)]
    assert engine.extend(task, lease=60) == [("a", 0)]
    assert engine.release(task) == [("a", 0)]
    assert left(engine) == {}

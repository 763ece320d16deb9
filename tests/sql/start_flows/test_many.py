from __future__ import annotations

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import FALSY, Engine, Row, fanout
from tests.plugins.listening import Ear


def start(engine: Engine, *inputs: object, **options: object) -> list[Row]:
    return engine.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(value) for value in inputs], **options)


def test_there_is_a_run_for_each_input_in_their_order(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    started = start(engine, *range(50))
    assert [engine.run(run["run_id"])["input"] for run in started] == list(range(50))
    assert {(run["status"], run["remaining_steps"]) for run in started} == {("started", 2)}
    assert all(run["started_at"] for run in started)


def test_each_run_is_like_one_started_by_itself(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "c": ["a", "b"], "d": fanout("c")})
    alone = engine.start({"x": 1})
    (together, _) = start(engine, {"x": 1}, {"x": 1})

    def shape(table: str, run_id: object) -> list[str]:
        rows = engine.rows(
            f"""select (to_jsonb(o) - 'run_id' - 'message_id') as shape from pgflow.{table} as o
                where run_id = %s order by 1""",
            run_id,
        )
        return [str({name: value for name, value in row["shape"].items() if not name.endswith("_at")}) for row in rows]

    for table in ("runs", "step_states", "step_tasks"):
        assert shape(table, together["run_id"]) == shape(table, alone)


def test_every_run_works(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "c": ["a", "b"]})
    started = start(engine, *FALSY)
    engine.work({"c": lambda task: task.input["run"]})
    outputs = [engine.run(run["run_id"])["output"] for run in started]
    assert [(output, type(output["c"])) for output in outputs] == [({"c": value}, type(value)) for value in FALSY]


def test_no_inputs_start_nothing(engine: Engine) -> None:
    engine.define({"a": []})
    assert start(engine) == []
    assert engine.messages() == []


def test_an_input_that_is_missing_is_json_null(engine: Engine) -> None:
    engine.define({"a": []})
    engine.do("select pgflow.start_flows('flow', array[null, '1']::jsonb[])")
    assert {row["input"] for row in engine.rows("select input::text from pgflow.runs")} == {"null", "1"}


def test_runs_of_a_flow_without_steps_complete_at_once(engine: Engine) -> None:
    engine.define({})
    assert [run["status"] for run in start(engine, 1, 2)] == ["completed", "completed"]


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        start(engine, 1)
    assert refusal.value.sqlstate == "PF001"


@pytest.mark.parametrize("watched", [True, False])
def test_the_runs_are_watched_unless_told_otherwise(engine: Engine, watched: bool) -> None:
    engine.define({"a": []})
    start(engine, 1, 2, p_watched=watched)
    start(engine, 3)
    assert [row["watched"] for row in engine.rows("select watched from pgflow.runs order by input")] == [
        watched,
        watched,
        True,
    ]


def test_a_thousand_starts_wake_a_sleeping_worker_once(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    committed.do("select pgflow.sleep_on_queues(gen_random_uuid(), array['flow'], 60)")
    ear.listen_on("pgflow:queue:flow")
    start(committed, *range(1000), p_watched=False)
    assert ear.wake_ups() == [""]

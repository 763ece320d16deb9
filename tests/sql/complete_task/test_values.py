"""No value is lost on its way from an output to an input, whatever its truth in Python or its look in JSON."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import FALSY, Engine, both_paths, fanout

VALUES = [*FALSY, "123", "null", '"', "ünïcödé \u2028 \U0001f600", 1.5, 10**30, [[]], {"": {"": None}}]


@both_paths
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_output_is_kept_as_it_is(engine: Engine, value: object) -> None:
    engine.define({"a": [], "b": ["a"]})
    run = engine.start()
    task = engine.poll_one()
    assert engine.complete(task, value)["output"] == value
    assert engine.step(run, "a")["output"] == value

    passed_on = engine.poll_one().input["deps"]["a"]
    assert (passed_on, type(passed_on)) == (value, type(value))


@both_paths
def test_every_value_survives_as_an_item_and_as_the_output_of_one(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": fanout("b")})
    run = engine.start()
    engine.complete(engine.poll_one(), VALUES)
    engine.work({slug: lambda task: task.input["item"] for slug in "bc"}, qty=100)

    output = engine.run(run)["output"]["c"]
    assert [(value, type(value)) for value in output] == [(value, type(value)) for value in VALUES]


@both_paths
def test_a_stored_null_is_json_null_and_not_a_missing_output(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    engine.start()
    engine.work({"a": [None]})
    assert engine.value("select string_agg(output::text, ' ' order by step_slug) from pgflow.step_tasks") == (
        "[null] null"
    )


@pytest.mark.parametrize("function", ["complete_task", "complete_tasks"])
def test_what_jsonb_cannot_hold_is_refused_before_anything_changes(engine: Engine, function: str) -> None:
    engine.define({"a": []})
    run = engine.start()
    task = engine.poll_one()
    arguments = "%s, 'a', 0, %s"
    if function == "complete_tasks":
        arguments = "array[%s]::uuid[], '{a}', '{0}', array[%s::jsonb], '{1}'"
    for value in (r'"\u0000"', r'"\ud800"', "NaN", "Infinity", "{"):
        with pytest.raises(errors.DataError), engine.connection.transaction():
            engine.do(f"select pgflow.{function}({arguments})", run, value)
    assert engine.task(task)["status"] == "started"
    assert engine.complete(task, "good")["status"] == "completed"

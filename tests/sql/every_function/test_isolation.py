"""Transitions check again under their locks what they saw before, so they refuse to work from an old snapshot."""

from __future__ import annotations

import pytest
from psycopg import IsolationLevel, errors

from tests.plugins.engine import NOBODY, Engine

TRANSITIONS = {
    "claim_run_tasks": (NOBODY, 30),
    "claim_tasks": (["flow"], 1, 30),
    "complete_task": (NOBODY, "a", 0, "1"),
    "complete_tasks": ([NOBODY], ["a"], [0], ["1"], [1]),
    "delete_flow": ("flow",),
    "fail_task": (NOBODY, "a", 0, "it broke"),
    "fail_tasks": ([NOBODY], ["a"], [0], ["it broke"], [1], [False], [None], [None]),
    "poll_for_tasks": ("flow", 30, 1, 0),
    "release_tasks": ([NOBODY], ["a"], [0], [1]),
    "start_ready_steps": (NOBODY,),
    "start_tasks": ("flow", [1], NOBODY),
    "watch_run": (NOBODY,),
    "watch_runs": ([NOBODY],),
}
CASTS = {
    "complete_task": "%s, %s, %s, %s::jsonb",
    "complete_tasks": "%s, %s, %s, %s::jsonb[], %s",
    "fail_tasks": "%s, %s, %s, %s, %s, %s, %s::float8[], %s::text[]",
}
OLD_SNAPSHOTS = [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]


@pytest.mark.parametrize("level", OLD_SNAPSHOTS, ids=lambda level: level.name.lower())
@pytest.mark.parametrize("function", TRANSITIONS)
def test_a_transition_says_which_level_it_needs(engine: Engine, function: str, level: IsolationLevel) -> None:
    engine.connection.isolation_level = level
    arguments = TRANSITIONS[function]
    placeholders = CASTS.get(function, ", ".join(["%s"] * len(arguments)))
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.do(f"select * from pgflow.{function}({placeholders})", *arguments)
    assert refusal.value.sqlstate == "PF008"
    assert str(level.name).replace("_", " ") in str(refusal.value)


@pytest.mark.parametrize("function", TRANSITIONS)
def test_it_works_at_the_default_level(engine: Engine, function: str) -> None:
    engine.define({"a": []})
    arguments = TRANSITIONS[function]
    placeholders = CASTS.get(function, ", ".join(["%s"] * len(arguments)))
    engine.do(f"select * from pgflow.{function}({placeholders})", *arguments)
    assert engine.rows("select * from pgflow.runs") == []


@pytest.mark.parametrize("level", OLD_SNAPSHOTS, ids=lambda level: level.name.lower())
def test_looking_is_allowed_at_every_level(engine: Engine, level: IsolationLevel) -> None:
    engine.connection.isolation_level = level
    engine.define({"a": []})
    run = engine.start()
    assert engine.rows("select * from pgflow.get_run_with_states(%s)", run)
    assert engine.rows("select * from pgflow.get_run_statuses(%s)", [run])
    assert engine.rows("select * from pgflow.get_workers()") == []
    assert engine.violations() == set()

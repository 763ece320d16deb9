"""Every function that somebody may call, with whatever its types let through: it does its work, or says what is wrong.

An internal error, a missing row or table, a broken constraint or a statement that never ends says that a function has
trusted what it was given.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.values import slugs, texts, values
from tests.plugins.engine import NOBODY, Engine, Row, fanout

KNOWN = UUID("01930000-0000-7000-8000-000000000001")

_numbers = st.sampled_from([None, 0, 1, -1, 7, 2**31 - 1, -(2**31)])
_fractions = st.sampled_from([None, 0.0, 1.5, -1.0, 1e300, float("inf"), float("-inf"), float("nan"), 5e-324])
_ids = st.just(KNOWN) | st.sampled_from([None, NOBODY, UUID(int=2**128 - 1)])
_slugs = st.sampled_from([None, "a", "b", "run"]) | slugs.filter(lambda slug: "\0" not in slug)
_texts = st.none() | texts | _slugs
_json = st.none() | st.one_of(values, _texts).map(json.dumps) | st.just('{"a": 1, "a": 2}')

_odd: st.SearchStrategy[Any] = (
    st.none() | st.integers(-2, 2) | _slugs | st.lists(_slugs, max_size=2) | st.just({}) | st.just("1e400")
)
_steps = st.fixed_dictionaries(
    {
        "step_slug": st.sampled_from(["a", "b", "c"]) | _odd,
        "step_type": st.sampled_from(["single", "fanout", None, "x"]),
        "deps": st.sampled_from([[], ["a"], ["b", "b"]]) | _odd,
    },
    optional={"handler_name": _odd, "max_attempts": _odd, "base_delay": _odd, "timeout": _odd, "start_delay": _odd},
)
_definitions = st.fixed_dictionaries(
    {"flow_slug": st.sampled_from(["flow", "other"]) | _slugs, "steps": st.lists(_steps, max_size=3) | _odd},
    optional={"max_attempts": _odd, "base_delay": _odd, "timeout": _odd},
)

BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "text": _texts,
    "uuid": _ids,
    "jsonb": _json,
    "int4": _numbers,
    "int8": _numbers,
    "numeric": _numbers,
    "bool": st.none() | st.booleans(),
    "float8": _fractions,
}

#: What its type says too little of. Seconds that somebody asks to wait would be waited.
BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "max_poll_seconds": st.sampled_from([None, 0, -1, -(2**31)]),
    "p_definition": _definitions.map(json.dumps) | _json,
} | dict.fromkeys(
    ("flow_slug", "p_flow_slug", "p_flow_slugs", "queue_name"), st.just("flow") | st.sampled_from(["flow"]) | _slugs
) | dict.fromkeys(("step_slug", "p_step_slug", "p_step_slugs", "deps_slugs"), st.just("a") | _slugs)  # fmt: skip


@st.composite
def arguments(draw: st.DrawFn, names: list[str], types: list[str]) -> dict[str, Any]:
    """Something for each argument; arrays are often of one length, as those of a batch have to be."""
    length = draw(st.none() | st.integers(0, 3))
    shortest, longest = (0, 3) if length is None else (length, length)
    given: dict[str, Any] = {}
    for name, kind in zip(names, types, strict=True):
        each = BY_NAME[name] if name in BY_NAME else BY_TYPE[kind.removeprefix("_")]
        if not kind.startswith("_"):
            given[name] = draw(each)
        elif length is None and draw(st.booleans()):
            given[name] = None
        else:
            given[name] = [draw(each) for _ in range(draw(st.integers(shortest, longest)))]
    return given


#: Of the classes of SQLSTATE, those that speak of what was given: ours, data, and limits of a type.
BLAMES_THE_CALLER = ("PF", "22", "54")
#: Not null where a row needs it, the check of a table's options, and what has no such key.
CONSTRAINTS = ("23502", "23514")


def functions(engine: Engine) -> list[Row]:
    return engine.rows(
        """select proname as name, coalesce(proargnames[1:pronargs], '{}') as arguments,
                  array(select t.typname::text from unnest(proargtypes) with ordinality as a (oid, n)
                        join pg_type as t on t.oid = a.oid order by a.n) as types
           from pg_proc
           where pronamespace = 'pgflow'::regnamespace and proname not like e'\\\\_%%' and proname <> 'raise_exception'
             and prorettype <> 'trigger'::regtype and provariadic = 0
           order by proname"""
    )


NAMES = [
    "add_step", "calculate_retry_delay", "check_flow", "check_invariants", "claim_run_tasks", "claim_tasks",
    "complete_task", "complete_tasks", "create_flow", "delete_flow", "ensure_flow", "extend_leases", "fail_task",
    "fail_tasks", "get_run_statuses", "get_run_with_states", "get_runs_with_states", "get_workers",
    "heartbeat_worker", "is_valid_slug", "maybe_complete_run", "new_run_id", "oldest_code", "poll_for_tasks",
    "register_worker",
    "release_tasks", "sleep_on_queues", "spawn_fanout_tasks", "start_flow", "start_flow_with_states", "start_flows",
    "start_ready_steps", "start_tasks", "stop_worker", "watch_run", "watch_runs",
]  # fmt: skip

#: What nobody but the engine may call, and what it was promised there.
INTERNAL = {"spawn_fanout_tasks": ("P0002",)}


def test_none_is_forgotten(engine: Engine) -> None:
    assert [function["name"] for function in functions(engine)] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_function_works_or_says_what_is_wrong(engine: Engine, few: settings, name: str) -> None:
    (function,) = (each for each in functions(engine) if each["name"] == name)
    engine.define({"a": [], "b": fanout("a")})
    engine.start([1], run_id=KNOWN)
    engine.poll()
    engine.do("set local statement_timeout = '5s'")
    accepted = (*BLAMES_THE_CALLER, *CONSTRAINTS, *INTERNAL.get(name, ()))
    casts = dict(zip(function["arguments"], function["types"], strict=True))

    @few
    @given(arguments(function["arguments"], function["types"]))
    def check(given: dict[str, Any]) -> None:
        call = ", ".join(f"{argument} => %s::{casts[argument]}" for argument in given)
        with engine.connection.transaction(force_rollback=True):
            try:
                with engine.connection.transaction():
                    engine.rows(f"select * from pgflow.{name}({call})", *given.values())
            except psycopg.Error as error:
                assert (error.sqlstate or "").startswith(accepted), f"{error.sqlstate}: {error}"  # noqa: PT017
            assert engine.violations() == set()

    check()
    assert engine.statuses(KNOWN) == {"a": "started", "b": "created"}

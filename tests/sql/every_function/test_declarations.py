"""What every function of the engine declares, read from the catalog."""

from __future__ import annotations

import re

from pgflow import errors
from tests.plugins.engine import Engine, Row

HOT = {
    "claim_run_tasks",
    "claim_tasks",
    "complete_task",
    "complete_tasks",
    "extend_leases",
    "fail_task",
    "fail_tasks",
    "maybe_complete_run",
    "release_tasks",
    "sleep_on_queues",
    "start_flow",
    "start_flows",
    "start_ready_steps",
    "start_tasks",
}
"""What workers and starts call all the time."""

INTERNAL = {"spawn_fanout_tasks", "raise_exception", "calculate_retry_delay", "is_valid_slug", "new_run_id"}
"""Functions without an underscore that need no rights of their own."""


def functions(engine: Engine) -> list[Row]:
    return engine.rows(
        """select proname as name, prosrc as body, prosecdef as definer, coalesce(proconfig, '{}') as settings,
                  lanname as language
           from pg_proc as p join pg_language on pg_language.oid = prolang
           where pronamespace = 'pgflow'::regnamespace or p.oid = 'realtime.send(jsonb,text,text,boolean)'::regprocedure
           order by proname"""
    )


def bodies(engine: Engine, pattern: str) -> set[str]:
    """The functions whose text matches a pattern."""
    return {row["name"] for row in functions(engine) if engine.value("select %s ~* %s", row["body"], pattern)}


def test_every_function_says_where_names_are_looked_up(engine: Engine) -> None:
    # An empty path still searches pg_temp first for types.
    for function in functions(engine):
        assert "search_path=pg_catalog, pg_temp" in function["settings"], function["name"]


def test_python_tells_apart_what_is_raised_and_nothing_else(engine: Engine) -> None:
    raised = {code for function in functions(engine) for code in re.findall(r"'(PF\d{3})'", function["body"])}
    assert raised == set(errors._BY_SQLSTATE)


def test_no_function_is_overloaded(engine: Engine) -> None:
    names = [function["name"] for function in functions(engine)]
    assert len(names) == len(set(names))


def test_hot_functions_keep_their_plans_and_never_scan(engine: Engine) -> None:
    wanted = {
        "plan_cache_mode=force_generic_plan",
        "enable_seqscan=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
        "enable_bitmapscan=off",
        "jit=off",
    }
    found = {function["name"]: function for function in functions(engine)}
    for name in HOT:
        assert found[name]["language"] == "plpgsql", "a function in SQL is planned again at every call"
        assert wanted <= set(found[name]["settings"]), name


def test_what_is_called_from_outside_runs_as_its_owner(engine: Engine) -> None:
    for function in functions(engine):
        is_internal = function["name"].startswith("_") or function["name"] in INTERNAL | {"send"}
        assert function["definer"] is not is_internal, function["name"]


def test_times_are_those_of_the_clock_and_not_of_the_transaction(engine: Engine) -> None:
    assert bodies(engine, r"\mnow\s*\(|current_timestamp|transaction_timestamp|statement_timestamp") == set()


def test_little_is_asked_of_pgmq(engine: Engine) -> None:
    # pgmq.read, read_with_poll and set_vt swing tenfold with the plan; pgmq.enable_notify_insert is ruinous.
    assert bodies(engine, r"pgmq\.(?!(create|drop_queue)\M)\w+\s*\(") == set()


def test_nothing_outlives_the_transaction_of_its_caller(engine: Engine) -> None:
    # Behind PgBouncer the next transaction is somebody else's.
    assert bodies(engine, r"set_config|pg_(try_)?advisory_lock|\mset\s+session\M|create temp") == set()

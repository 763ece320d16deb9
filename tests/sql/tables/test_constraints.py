"""What cannot be is refused by the tables themselves, with a name that says why."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine

IMPOSSIBLE = [
    ("runs", "status = 'paused'", "run_status_is_known"),
    ("runs", "remaining_steps = -1", "remaining_steps_is_not_negative"),
    ("runs", "status = 'completed', completed_at = now(), output = '1'", "completed_run_has_no_remaining_steps"),
    ("runs", "completed_at = now()", "completed_at_says_the_run_completed"),
    ("runs", "failed_at = now()", "failed_at_says_the_run_failed"),
    ("runs", "status = 'failed', error_message = 'x'", "failed_at_says_the_run_failed"),
    ("runs", "output = '1'", "only_a_completed_run_has_output"),
    ("runs", "error_message = 'x'", "only_a_failed_run_has_an_error"),
    ("runs", "status = 'failed', failed_at = now()", "only_a_failed_run_has_an_error"),
    ("step_states", "status = 'skipped'", "step_status_is_known"),
    ("step_states", "initial_tasks = -1, remaining_tasks = -1", "initial_tasks_is_not_negative"),
    ("step_states", "remaining_tasks = -1", "remaining_tasks_is_not_negative"),
    ("step_states", "remaining_tasks = 2", "remaining_tasks_is_at_most_initial_tasks"),
    ("step_states", "remaining_tasks = null", "remaining_tasks_is_known_once_started"),
    ("step_states", "remaining_deps = -1", "remaining_deps_is_not_negative"),
    ("step_states", "remaining_deps = 1", "started_step_waits_for_nothing"),
    ("step_states", "started_at = null", "started_at_says_the_step_started"),
    ("step_states", "completed_at = now()", "completed_at_says_the_step_completed"),
    (
        "step_states",
        "status = 'completed', completed_at = now(), output = '1'",
        "completed_step_has_no_remaining_tasks",
    ),
    ("step_states", "failed_at = now()", "failed_at_says_the_step_failed"),
    ("step_states", "output = '1'", "only_a_completed_step_has_output"),
    ("step_states", "error_message = 'x'", "only_a_failed_step_has_an_error"),
    ("step_tasks", "status = 'stalled', started_at = now()", "task_status_is_known"),
    ("step_tasks", "task_index = -1", "task_index_is_not_negative"),
    ("step_tasks", "attempts_count = -1", "attempts_count_is_not_negative"),
    ("step_tasks", "started_at = now()", "started_at_says_the_task_started"),
    ("step_tasks", "status = 'started'", "started_at_says_the_task_started"),
    ("step_tasks", "completed_at = now()", "completed_at_says_the_task_completed"),
    ("step_tasks", "failed_at = now()", "failed_at_says_the_task_failed"),
    (
        "step_tasks",
        "status = 'completed', started_at = now(), completed_at = now()",
        "completed_task_has_output",
    ),
    ("step_tasks", "output = '1'", "open_task_has_no_output"),
    ("steps", "step_type = 'map'", "step_type_is_known"),
    ("steps", "step_type = 'fanout'", "fanout_has_exactly_one_dependency"),
    ("steps", "step_index = -1", "step_index_is_not_negative"),
    ("steps", "deps_count = -1", "deps_count_is_not_negative"),
    ("steps", "opt_max_attempts = 0", "max_attempts_is_at_least_one"),
    ("steps", "opt_base_delay = -1", "base_delay_is_not_negative"),
    ("steps", "opt_timeout = 0", "timeout_is_at_least_one_second"),
    ("steps", "opt_start_delay = -1", "start_delay_is_not_negative"),
    ("steps", "step_slug = 'run'", "step_slug_is_valid"),
    ("flows", "flow_slug = 'run'", "flow_slug_is_valid"),
    ("flows", "flow_slug = 'a--b'", "flow_slug_names_a_queue"),
    ("flows", "opt_max_attempts = 0", "max_attempts_is_at_least_one"),
    ("flows", "opt_base_delay = -1", "base_delay_is_not_negative"),
    ("flows", "opt_timeout = 0", "timeout_is_at_least_one_second"),
]


@pytest.mark.parametrize(("table", "change", "constraint"), IMPOSSIBLE)
def test_the_impossible_is_refused(engine: Engine, table: str, change: str, constraint: str) -> None:
    engine.define({"a": []})
    engine.start()
    with pytest.raises(errors.CheckViolation) as refusal, engine.connection.transaction():
        engine.do(f"update pgflow.{table} set {change}")
    assert refusal.value.diag.constraint_name == constraint


def test_every_check_is_tried(engine: Engine) -> None:
    checks = engine.rows(
        """select conrelid::regclass::text as table, conname from pg_constraint
           where contype = 'c' and connamespace = 'pgflow'::regnamespace"""
    )
    tried = {(f"pgflow.{table}", constraint) for table, _, constraint in IMPOSSIBLE}
    untried = {(row["table"], row["conname"]) for row in checks} - tried
    assert untried == {("pgflow.deps", "step_does_not_depend_on_itself")}


def test_no_step_depends_on_itself(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    with pytest.raises(errors.CheckViolation, match="step_does_not_depend_on_itself"), engine.connection.transaction():
        engine.do("update pgflow.deps set dep_slug = 'b'")


def test_step_indexes_are_unique_in_a_flow(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    with pytest.raises(errors.UniqueViolation) as refusal, engine.connection.transaction():
        engine.do("update pgflow.steps set step_index = 0")
    assert refusal.value.diag.constraint_name == "step_index_is_unique_in_the_flow"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("update pgflow.deps set dep_slug = 'missing'", "dependency_is_a_step"),
        ("update pgflow.deps set step_slug = 'missing'", "dependent_is_a_step"),
        ("insert into pgflow.steps (flow_slug, step_slug, step_index) values ('x', 'a', 0)", "steps_belong_to_a_flow"),
    ],
)
def test_definitions_refer_to_what_exists(engine: Engine, change: str, constraint: str) -> None:
    engine.define({"a": [], "b": ["a"]})
    with pytest.raises(errors.ForeignKeyViolation) as refusal, engine.connection.transaction():
        engine.do(change)
    assert refusal.value.diag.constraint_name == constraint


def test_no_constraint_has_a_made_up_name(engine: Engine) -> None:
    # PostgreSQL's own: step_states_check, steps_flow_slug_fkey, runs_status_check.
    names = engine.rows(
        "select conname from pg_constraint where connamespace = 'pgflow'::regnamespace and contype <> 'n'"
    )
    assert [row["conname"] for row in names if row["conname"].endswith(("_check", "_fkey", "_key", "_check1"))] == []

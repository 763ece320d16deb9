"""No plan reads a whole table, whenever it was made: while the tables were empty, or on statistics that are stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg.types.json import Jsonb

from tests.plugins.costs import rows_read
from tests.plugins.engine import Engine, Task, fanout

TASKS = 8_000
RUNS = 1_500
BATCH = 10
LIMIT = 30 * BATCH
"""Rows that a call may look at: those of ten tasks in every table, and the few of their flow."""

CALLS: dict[str, str] = {
    "claim_tasks": "select * from pgflow.claim_tasks('{flow}', 10, 30)",
    "poll_for_tasks": "select * from pgflow.poll_for_tasks('flow', 30, 10, 0)",
    "sleep_on_queues": "select pgflow.sleep_on_queues(gen_random_uuid(), '{flow}', 1)",
    "start_flow": "select * from pgflow.start_flow('flow', '1', gen_random_uuid(), null, false)",
    "start_flows": "select * from pgflow.start_flows('flow', array_fill('1'::jsonb, '{10}'), false)",
    "get_run_with_states": "select * from pgflow.get_run_with_states(%(run)s)",
    "get_runs_with_states": "select * from pgflow.get_runs_with_states(%(runs)s)",
    "get_run_statuses": "select * from pgflow.get_run_statuses(%(runs)s)",
    "watch_run": "select * from pgflow.watch_run(%(run)s)",
    "extend_leases": "select * from pgflow.extend_leases(%(runs)s, %(slugs)s, %(indexes)s, %(tokens)s, 60)",
    "release_tasks": "select * from pgflow.release_tasks(%(runs)s, %(slugs)s, %(indexes)s, %(tokens)s)",
    "fail_task": "select * from pgflow.fail_task(%(run)s, %(slug)s, %(index)s, 'it broke')",
    "fail_tasks": """select * from pgflow.fail_tasks(%(runs)s, %(slugs)s, %(indexes)s, array_fill('x'::text, '{10}'),
                       %(tokens)s, array_fill(false, '{10}'), array_fill(null::float8, '{10}'),
                       array_fill(null::text, '{10}'))""",
    "complete_task": "select * from pgflow.complete_task(%(run)s, %(slug)s, %(index)s, '1')",
    "complete_tasks": """select * from pgflow.complete_tasks(%(runs)s, %(slugs)s, %(indexes)s,
                           array_fill('[1]'::jsonb, '{10}'), %(tokens)s)""",
    "start_ready_steps": "select pgflow.start_ready_steps(%(run)s)",
    "maybe_complete_run": "select pgflow.maybe_complete_run(%(run)s)",
}


def arguments(tasks: list[Task]) -> dict[str, Any]:
    first = tasks[0]
    return {
        "run": first.run_id,
        "slug": first.step_slug,
        "index": first.task_index,
        "runs": [task.run_id for task in tasks],
        "slugs": [task.step_slug for task in tasks],
        "indexes": [task.task_index for task in tasks],
        "tokens": [task.token for task in tasks],
    }


def prepare(engine: Engine) -> None:
    """Call everything once, on tables that hold next to nothing."""
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    engine.path = "set-based"
    engine.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(n) for n in range(BATCH)])
    for call in CALLS.values():
        tasks = engine.poll(BATCH)
        with engine.connection.transaction(force_rollback=True):
            engine.connection.execute(call.encode(), arguments(tasks))
        engine.release(*tasks)
    engine.work({"a": [1]})


def fill(engine: Engine) -> None:
    """A large fan-out, and beside it many runs that have just begun and many that are over."""
    engine.start(watched=False)
    engine.complete(engine.poll_one(), list(range(TASKS)))
    inputs = [Jsonb(n) for n in range(RUNS)]
    engine.call("start_flows", p_flow_slug="flow", p_inputs=inputs, p_watched=False)


def too_expensive(engine: Engine) -> dict[str, int]:
    """The rows that each call looks at, if they are more than its ten tasks can explain."""
    rows: dict[str, int] = {}
    for days, slug in enumerate("ab", 1):
        first = "select msg_id from pgmq.q_flow where message ->> 'step_slug' = %s order by vt limit %s"
        engine.do(
            f"update pgmq.q_flow set vt = vt - %s * interval '1 day' where msg_id in ({first})", days, slug, BATCH
        )
        for name, call in CALLS.items():
            with engine.connection.transaction(force_rollback=True):
                tasks = engine.poll(BATCH)
                assert {task.step_slug for task in tasks} == {slug}
                rows[f"{name} of {slug}"] = rows_read(engine, call, **arguments(tasks))
    return {name: number for name, number in rows.items() if number > LIMIT}


def test_a_plan_that_reads_a_table_would_be_noticed(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    fill(engine)
    for table in ("pgflow.runs", "pgflow.step_states", "pgflow.step_tasks", "pgmq.q_flow"):
        assert rows_read(engine, f"select * from {table}") > LIMIT


def test_plans_cached_on_empty_tables(committed: Engine) -> None:
    prepare(committed)
    committed.do("vacuum analyze")
    fill(committed)
    assert too_expensive(committed) == {}


def test_plans_made_on_the_statistics_of_empty_tables(committed: Engine, another: Callable[..., Engine]) -> None:
    prepare(committed)
    committed.do("vacuum analyze")
    fill(committed)
    assert too_expensive(another()) == {}


def test_plans_made_on_good_statistics(committed: Engine, another: Callable[..., Engine]) -> None:
    prepare(committed)
    fill(committed)
    committed.do("analyze")
    assert too_expensive(another()) == {}


def test_plans_made_without_any_statistics(committed: Engine) -> None:
    committed.define({"a": [], "b": fanout("a"), "c": ["b"]})
    fill(committed)
    assert too_expensive(committed) == {}


def test_messages_that_wait_for_their_time_are_not_walked_over(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a", start_delay=3600)})
    engine.start(watched=False)
    engine.complete(engine.poll_one(), list(range(20_000)))
    engine.start(watched=False)
    assert rows_read(engine, CALLS["claim_tasks"]) <= LIMIT
    assert rows_read(engine, CALLS["sleep_on_queues"]) <= LIMIT


def test_a_transition_costs_the_same_beside_however_many_runs(engine: Engine) -> None:
    engine.define({"a": []})
    rows = []
    for runs in (10, 5_000):
        engine.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(n) for n in range(runs)], p_watched=False)
        engine.poll_one()
        task = engine.poll_one()
        rows.append(rows_read(engine, CALLS["complete_task"], **arguments([task])))
    assert rows[0] == rows[1]

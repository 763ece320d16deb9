"""The cost of a fan-out is linear: no task reads the whole array, or pays for how many there are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.plugins.costs import Cost, cost
from tests.plugins.engine import Engine, fanout

CLAIM = "select * from pgflow.claim_tasks('{flow}', %s, 30)"
COMPLETE = "select * from pgflow.complete_tasks(%s, %s, %s, %s, %s)"


def spawned(engine: Engine, tasks: int, *, size: int = 50) -> tuple[UUID, Cost]:
    """A run with a fan-out of so many tasks, and what starting them cost."""
    run = engine.start(watched=False)
    engine.poll_one()
    array = """
        (select jsonb_agg(left(repeat(md5(n::text), 40), %s)) from generate_series(1, %s) as n)
    """
    return run, cost(engine, f"select * from pgflow.complete_task(%s, 'a', 0, {array})", run, size, tasks)


def completion(engine: Engine, qty: int) -> tuple[Cost, Cost]:
    """What it costs to claim so many tasks, and to complete them."""
    with engine.connection.transaction(force_rollback=True):
        claiming = cost(engine, CLAIM, qty)
    tasks = engine.poll(qty)
    assert len(tasks) == qty
    reports: list[list[Any]] = [
        [task.run_id for task in tasks],
        [task.step_slug for task in tasks],
        [task.task_index for task in tasks],
        [Jsonb("done") for _ in tasks],
        [task.token for task in tasks],
    ]
    return claiming, cost(engine, COMPLETE, *reports)


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})


def test_ten_times_the_tasks_cost_ten_times_as_much_to_start(engine: Engine) -> None:
    _, thousand = spawned(engine, 1_000)
    _, ten_thousand = spawned(engine, 10_000)
    assert ten_thousand.pages < 15 * thousand.pages
    assert ten_thousand.wal < 15 * thousand.wal


def test_a_hundred_tasks_cost_the_same_out_of_however_many(engine: Engine) -> None:
    spawned(engine, 1_000)
    few = completion(engine, 100)
    engine.work(qty=1_000)
    spawned(engine, 10_000)
    many = completion(engine, 100)
    for among_few, among_many in zip(few, many, strict=True):
        assert among_many.pages < 2 * among_few.pages
        assert among_many.wal < 2 * among_few.wal


def test_the_last_task_costs_one_pass_over_the_outputs(engine: Engine) -> None:
    pages = []
    for tasks in (1_000, 10_000):
        run, _ = spawned(engine, tasks)
        last = engine.poll_one()
        engine.path = "set-based"
        engine.work({"b": "done"}, qty=1_000)
        query = "select * from pgflow.complete_task(%s, 'b', %s, '1')"
        pages.append(cost(engine, query, run, last.task_index).pages)
        assert engine.run(run)["status"] == "completed"
    assert pages[1] < 15 * pages[0]


def test_no_transition_writes_a_large_item_again(engine: Engine) -> None:
    spawned(engine, 200, size=10)
    small = completion(engine, 200)
    engine.work()
    spawned(engine, 200, size=1_000)
    large = completion(engine, 200)
    for with_small, with_large in zip(small, large, strict=True):
        assert with_large.wal < 1.5 * with_small.wal

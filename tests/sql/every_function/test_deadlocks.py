"""No mix of concurrent calls deadlocks, and whatever they leave behind is sound."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine, Steps, Task, fanout

FLOWS = ["one", "two"]
SESSIONS = 6
ROUNDS = 50


def run_wild(session: Engine, seed: int, together: Barrier) -> None:
    """Start, claim, report, extend and hand back at random, mostly on leases that have run out."""
    chance = random.Random(seed)
    held: list[Task] = []
    together.wait()
    for _ in range(ROUNDS):
        if chance.random() < 0.3:
            inputs = [Jsonb(chance.randint(0, 3)) for _ in range(3)]
            session.call("start_flows", p_flow_slug=chance.choice(FLOWS), p_inputs=inputs)
        held += session.poll(chance.randint(1, 20), lease=chance.choice([0, 0, 0.05]), flow=FLOWS)
        chance.shuffle(held)
        batch, held = held[:10], held[10:40]
        act = chance.random()
        if act < 0.5:
            session.complete_tasks((task, output(task, chance)) for task in batch)
        elif act < 0.6:
            session.fail_tasks(((task, "it broke") for task in batch), retry_delay=0)
        elif act < 0.7:
            session.extend(*batch, lease=0.05)
        elif act < 0.8:
            session.release(*batch)
        else:
            for task in batch[:3]:
                session.complete(task, output(task, chance))


def output(task: Task, chance: random.Random) -> object:
    if task.step_slug == "a":
        return list(range(chance.randint(0, 5))) if chance.random() < 0.95 else "no array"
    return task.task_index


@pytest.fixture
def sessions(committed: Engine, another: Callable[..., Engine]) -> list[Engine]:
    for flow in FLOWS:
        steps: Steps = {"a": [], "b": fanout("a"), "c": [], "d": ["b", "c"], "e": fanout("b")}
        committed.define(steps, flow=flow, max_attempts=20)
    sessions = [another() for _ in range(SESSIONS)]
    for session in sessions:
        session.do("set deadlock_timeout = '100ms'")
    return sessions


def test_sessions_that_do_everything_at_once_end_what_they_started(committed: Engine, sessions: list[Engine]) -> None:
    together = Barrier(SESSIONS)
    with ThreadPoolExecutor(SESSIONS) as pool:
        wild = [pool.submit(run_wild, session, seed, together) for seed, session in enumerate(sessions)]
        for outcome in wild:
            outcome.result()
    committed.do("update pgmq.q_one set vt = clock_timestamp()")
    committed.do("update pgmq.q_two set vt = clock_timestamp()")
    while tasks := committed.poll(100, flow=FLOWS):
        committed.complete_tasks((task, []) for task in tasks)
    statuses = {row["status"] for row in committed.rows("select distinct status from pgflow.runs")}
    assert statuses <= {"completed", "failed"}
    assert "completed" in statuses
    assert committed.violations() == set()
    assert committed.messages("one") == committed.messages("two") == []


def test_batches_with_the_same_runs_in_any_order_wait_for_each_other(committed: Engine, sessions: list[Engine]) -> None:
    committed.call("start_flows", p_flow_slug="one", p_inputs=[Jsonb(n) for n in range(40)], p_watched=False)
    tasks = committed.poll(100, flow="one")
    together = Barrier(SESSIONS)

    def report(session: Engine, seed: int) -> int:
        shuffled = random.Random(seed).sample(tasks, len(tasks))
        together.wait()
        lost = session.complete_tasks((task, [1] if task.step_slug == "a" else 1) for task in shuffled)
        return len(shuffled) - len(lost)

    with ThreadPoolExecutor(SESSIONS) as pool:
        taken = list(pool.map(report, sessions, range(SESSIONS)))
    assert sum(taken) == len(tasks) == 80


def test_a_flow_may_be_deleted_and_defined_again_under_its_workers(committed: Engine, sessions: list[Engine]) -> None:
    together = Barrier(4)
    deleting, *working = sessions[:4]

    def work(session: Engine, seed: int) -> None:
        chance = random.Random(seed)
        together.wait()
        for _ in range(ROUNDS):
            try:
                session.call("start_flows", p_flow_slug="one", p_inputs=[Jsonb(1)] * 3)
                tasks = session.poll(10, lease=chance.choice([0, 30]), flow="one")
                session.complete_tasks((task, output(task, chance)) for task in tasks)
            except errors.DatabaseError as error:
                # The flow, or its queue, has just gone.
                if error.sqlstate not in {"PF001", "42P01"}:
                    raise

    def delete() -> None:
        together.wait()
        for _ in range(5):
            with deleting.connection.transaction():
                deleting.call("delete_flow", p_flow_slug="one")
                deleting.define({"a": [], "b": fanout("a")}, flow="one")

    with ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(delete), *(pool.submit(work, session, n) for n, session in enumerate(working))]
        for outcome in outcomes:
            outcome.result()
    committed.call("delete_flow", p_flow_slug="one")
    for table in ("runs", "step_states", "step_tasks", "task_items"):
        assert committed.rows(f"select * from pgflow.{table}") == []

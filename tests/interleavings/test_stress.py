"""Eight sessions do everything at once, thousands of times: nothing deadlocks, and every run can still be ended."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from attrs import define, field
from psycopg.types.json import Jsonb

from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, Steps, Task, fanout

SESSIONS = 8
FLOWS: dict[str, Steps] = {
    "chain": {"a": [], "b": ["a"], "c": ["b"]},
    "diamond": {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]},
    "fanout": {"a": [], "b": fanout("a"), "c": fanout("b"), "d": ["c"]},
    "branches": {"a": [], "x": [], "b": fanout("a"), "y": ["x"], "d": ["b", "y"]},
}

#: How often each is done, as parts of all.
ACTS = {
    "start": 12,
    "claim": 30,
    "complete": 20,
    "complete_batch": 10,
    "fail": 5,
    "fail_batch": 3,
    "hand_back": 4,
    "extend": 4,
    "look": 4,
    "live": 4,
    "define": 2,
    "replace": 0.2,
}


@define
class Actor:
    """A session that does whatever comes to its mind, and keeps tasks long after they are lost."""

    session: Engine
    chance: random.Random
    worker: UUID = field(factory=uuid4)
    held: list[Task] = field(factory=list)
    runs: list[UUID] = field(factory=list)
    done: Counter[str] = field(factory=Counter)

    def act(self, times: int) -> None:
        """Do so many things, most of them about what is held."""
        for act in self.chance.choices(list(ACTS), list(ACTS.values()), k=times):
            try:
                getattr(self, act)()
            except psycopg.DatabaseError as error:
                # A flow that is replaced is away for a moment, and its queue too.
                if error.sqlstate not in {"PF001", "42P01"}:
                    raise
                act = "refused"
            self.done[act] += 1

    def flow(self) -> str:
        return self.chance.choice(list(FLOWS))

    def some(self, most: int = 8) -> list[Task]:
        """A few of the tasks that are held, in any order; some of them are kept, to be reported on again."""
        tasks = self.chance.sample(self.held, min(len(self.held), self.chance.randint(1, most)))
        if self.chance.random() < 0.8:
            self.held = [task for task in self.held if task not in tasks]
        return tasks

    def output(self, task: Task) -> Any:
        if task.step_slug in {"a", "b"} and self.chance.random() < 0.97:
            return [[0]] * self.chance.randint(0, 3)
        return task.task_index

    def start(self) -> None:
        flow = self.flow()
        if self.chance.random() < 0.5:
            self.session.call("start_flows", p_flow_slug=flow, p_inputs=[Jsonb(1)] * 3, p_watched=False)
            return
        key = f"{flow} {self.chance.randint(1, 200)}"
        self.runs = [*self.runs[-10:], self.session.start(key, flow=flow, idempotency_key=key)]

    def claim(self) -> None:
        lease = self.chance.choice([0, 0, 30])
        flows = self.chance.sample(list(FLOWS), 2)
        claimed = self.session.call("claim_tasks", p_flow_slugs=flows, p_qty=10, p_lease=lease, p_worker_id=self.worker)
        self.held = [*self.held[-30:], *(Task(**row) for row in claimed)]

    def complete(self) -> None:
        for task in self.some(2):
            token = self.chance.choice([task.token] * 9 + [None])
            self.session.complete_all([(task, self.output(task))], tokens=[token])

    def complete_batch(self) -> None:
        self.session.complete_tasks([(task, self.output(task)) for task in self.some()])

    def fail(self) -> None:
        for task in self.some(1):
            self.session.call(
                "fail_task",
                run_id=task.run_id,
                step_slug=task.step_slug,
                task_index=task.task_index,
                error_message="it broke",
                token=task.token,
                permanent=self.chance.random() < 0.2,
            )

    def fail_batch(self) -> None:
        self.session.fail_tasks([(task, "it broke") for task in self.some()], retry_delay=0)

    def hand_back(self) -> None:
        self.session.release(*self.some())

    def extend(self) -> None:
        self.session.extend(*self.some(), lease=30)

    def look(self) -> None:
        function = self.chance.choice(["watch_runs", "get_runs_with_states", "get_run_statuses"])
        self.session.call(function, p_run_ids=self.runs)

    def live(self) -> None:
        worker = {"p_worker_id": self.worker}
        if not self.session.value("select pgflow.heartbeat_worker(%s)", self.worker):
            self.session.call("register_worker", **worker, p_queue_name="chain", p_function_name="main")
        self.session.call("sleep_on_queues", **worker, p_flow_slugs=list(FLOWS), p_seconds=0)
        self.session.call("get_workers")

    def define(self) -> None:
        flow = self.flow()
        self.session.define(FLOWS[flow], flow=flow)
        for run in self.runs[-2:]:
            self.session.call("start_ready_steps", run_id=run)

    def replace(self) -> None:
        flow = self.flow()
        with self.session.connection.transaction():
            self.session.call("delete_flow", p_flow_slug=flow)
            self.session.define(FLOWS[flow], flow=flow, max_attempts=10)


@pytest.fixture
def actors(dsn: str, database: Connection) -> Iterator[list[Actor]]:
    options = "-c deadlock_timeout=50ms -c lock_timeout=30s"
    connections = [psycopg.connect(dsn, autocommit=True, options=options) for _ in range(SESSIONS)]
    yield [Actor(Engine(connection), random.Random(seed)) for seed, connection in enumerate(connections)]
    for connection in connections:
        connection.close()


def drain(engine: Engine) -> None:
    """Take what everybody held, and work until nothing is left."""
    for flow in FLOWS:
        engine.do(f"update pgmq.q_{flow} set vt = clock_timestamp()")
    while tasks := engine.poll(200, flow=list(FLOWS)):
        engine.complete_tasks((task, []) for task in tasks)


def test_eight_sessions_that_do_everything_at_once_leave_runs_that_can_be_ended(
    actors: list[Actor], database: Connection, proof: bool
) -> None:
    engine = Engine(database)
    for flow, steps in FLOWS.items():
        engine.define(steps, flow=flow, max_attempts=10)
    together = Barrier(SESSIONS)

    def act(actor: Actor) -> None:
        together.wait()
        actor.act(1000 if proof else 60)

    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(act, actors))

    assert sum((actor.done for actor in actors), Counter[str]()).keys() >= ACTS.keys() - {"replace"}
    assert engine.violations() == set()
    drain(engine)
    assert engine.violations() == set()
    assert engine.rows("select run_id from pgflow.runs where status = 'started'") == []
    assert [message for flow in FLOWS for message in engine.messages(flow)] == []
    assert engine.value("select deadlocks from pg_stat_database where datname = current_database()") == 0

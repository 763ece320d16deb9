from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.plugins.costs import rows_read
from tests.plugins.engine import Engine, Row, fanout


def register(engine: Engine, flows: str = "flow", name: str = "host:1", *, started: str = "0 s") -> UUID:
    worker_id = uuid4()
    engine.do("select pgflow.register_worker(%s, %s, %s)", worker_id, flows, name)
    engine.do(
        "update pgflow.workers set started_at = started_at - %s::interval where worker_id = %s", started, worker_id
    )
    return worker_id


def silence(engine: Engine, worker: UUID, interval: str) -> None:
    """Let a worker have been heard of last so long ago."""
    engine.do(
        "update pgflow.workers set last_heartbeat_at = clock_timestamp() - %s::interval where worker_id = %s",
        interval,
        worker,
    )


def claim(engine: Engine, worker: UUID, qty: int, *, lease: float = 30, flows: Sequence[str] = ("flow",)) -> list[Row]:
    return engine.call("claim_tasks", p_flow_slugs=list(flows), p_qty=qty, p_lease=lease, p_worker_id=worker)


def workers(engine: Engine) -> list[Row]:
    return engine.rows("select * from pgflow.get_workers()")


def statuses(engine: Engine) -> dict[UUID, str]:
    return {row["worker_id"]: row["status"] for row in workers(engine)}


def running_tasks(engine: Engine) -> dict[UUID, int]:
    return {row["worker_id"]: row["running_tasks"] for row in workers(engine)}


def test_a_worker_that_has_just_started(engine: Engine) -> None:
    worker = register(engine, "flow,other", "host:77")
    (row,) = workers(engine)
    times = {name: row.pop(name) for name in ("started_at", "last_heartbeat_at", "stopped_at")}
    assert row == {
        "worker_id": worker,
        "function_name": "host:77",
        "flow_slugs": ["flow", "other"],
        "status": "running",
        "running_tasks": 0,
    }
    assert times["started_at"] <= times["last_heartbeat_at"]
    assert times["stopped_at"] is None


def test_nobody_works_where_nobody_has_registered(engine: Engine) -> None:
    assert workers(engine) == []


@pytest.mark.parametrize(("silent", "status"), [("25 s", "running"), ("31 s", "dead"), ("6 days", "dead")])
def test_a_worker_is_dead_after_thirty_seconds_of_silence(engine: Engine, silent: str, status: str) -> None:
    worker = register(engine)
    silence(engine, worker, silent)
    assert statuses(engine) == {worker: status}


def test_a_worker_that_was_suspended_is_running_again_with_its_next_heartbeat(engine: Engine) -> None:
    worker = register(engine)
    silence(engine, worker, "1 day")
    engine.do("select pgflow.heartbeat_worker(%s)", worker)
    assert statuses(engine) == {worker: "running"}


def test_a_worker_that_stopped_in_order_never_dies(engine: Engine) -> None:
    worker = register(engine)
    engine.do("select pgflow.stop_worker(%s)", worker)
    silence(engine, worker, "1 day")
    assert statuses(engine) == {worker: "stopped"}


def test_those_that_work_come_first_and_the_newest_of_them(engine: Engine) -> None:
    stopped = register(engine)
    engine.do("select pgflow.stop_worker(%s)", stopped)
    dead = register(engine, started="1 s")
    silence(engine, dead, "1 hour")
    old, new = register(engine, started="1 day"), register(engine, started="1 hour")
    assert list(statuses(engine)) == [new, old, dead, stopped]


def test_the_tasks_that_a_worker_holds_are_counted(engine: Engine) -> None:
    engine.define({"a": []})
    engine.define({"a": []}, flow="Mixed-Case")
    for flow in ("flow", "flow", "flow", "Mixed-Case"):
        engine.start(flow=flow)
    first, second, idle = (register(engine, "flow,Mixed-Case") for _ in range(3))
    claim(engine, first, 2)
    claim(engine, second, 5, flows=["flow", "Mixed-Case"])
    assert running_tasks(engine) == {first: 2, second: 2, idle: 0}


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_what_has_ended_is_not_counted(engine: Engine, end: str) -> None:
    engine.define({"a": []})
    engine.start()
    worker = register(engine)
    ((task),) = claim(engine, worker, 1)
    key = {name: task[name] for name in ("run_id", "step_slug", "task_index", "token")}
    if end == "complete":
        engine.call("complete_task", **key, output=Jsonb(1))
    elif end == "fail":
        engine.call("fail_task", **key, error_message="it broke", retry_delay=60)
    else:
        engine.call("release_tasks", **{f"p_{name}{'es' * (name[-1] == 'x') or 's'}": [v] for name, v in key.items()})
    assert running_tasks(engine) == {worker: 0}


def test_what_another_has_taken_over_is_the_others(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    dead, alive = register(engine), register(engine)
    claim(engine, dead, 1, lease=0)
    assert running_tasks(engine) == {dead: 0, alive: 0}
    claim(engine, alive, 1)
    assert running_tasks(engine) == {dead: 0, alive: 1}


def test_what_others_put_into_a_queue_is_passed_over(engine: Engine) -> None:
    engine.define({"a": []})
    worker = register(engine)
    for message in ('"text"', "{}", '{"run_id": "x", "step_slug": "a", "task_index": "y"}'):
        engine.do("select pgmq.send('flow', %s::jsonb)", message)
    engine.do("select pgmq.read('flow', 60, 3)")
    assert running_tasks(engine) == {worker: 0}
    engine.do("select pgmq.purge_queue('flow')")


def test_neither_what_is_finished_nor_what_waits_is_read(engine: Engine) -> None:
    engine.define({"list": [], "each": fanout("list")})
    worker = register(engine)
    for count in (2_000, 3_000):
        engine.start(watched=False)
        engine.complete(engine.poll_one(), list(range(count)))
        if count == 2_000:
            engine.path = "set-based"
            engine.work(qty=500)
    engine.do("analyze")
    claim(engine, worker, 3)
    assert rows_read(engine, "select * from pgflow.get_workers()") <= 30
    assert running_tasks(engine) == {worker: 3}

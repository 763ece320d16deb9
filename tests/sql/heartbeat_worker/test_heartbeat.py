from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

from tests.plugins.engine import Engine
from tests.plugins.locks import wait_until_blocked
from tests.plugins.waiting import meanwhile


def register(engine: Engine) -> UUID:
    worker_id = uuid4()
    engine.do("select pgflow.register_worker(%s, 'flow', 'main')", worker_id)
    return worker_id


def silence(engine: Engine, worker: UUID, interval: str) -> None:
    """Let a worker have been heard of last so long ago."""
    engine.do(
        "update pgflow.workers set last_heartbeat_at = clock_timestamp() - %s::interval where worker_id = %s",
        interval,
        worker,
    )


def beat(engine: Engine, worker: UUID) -> bool:
    known: bool = engine.value("select pgflow.heartbeat_worker(%s)", worker)
    return known


def known(engine: Engine) -> set[UUID]:
    return {row["worker_id"] for row in engine.rows("select worker_id from pgflow.workers")}


def test_a_heartbeat_is_noted(engine: Engine) -> None:
    worker = register(engine)
    silence(engine, worker, "1 minute")
    before = engine.row("select * from pgflow.workers")
    assert beat(engine, worker)
    after = engine.row("select * from pgflow.workers")
    assert after["last_heartbeat_at"] > before["last_heartbeat_at"]
    assert after["started_at"] == before["started_at"]


def test_a_worker_that_is_not_known_is_told_and_not_noted(engine: Engine) -> None:
    assert not beat(engine, uuid4())
    assert known(engine) == set()


def test_the_first_of_an_hour_forgets_those_that_are_long_gone(engine: Engine) -> None:
    worker, dead, stopped, recent = (register(engine) for _ in range(4))
    engine.do("select pgflow.stop_worker(%s)", stopped)
    for gone in (dead, stopped):
        silence(engine, gone, "8 days")
    silence(engine, recent, "6 days")
    silence(engine, worker, "1 hour")
    assert beat(engine, worker)
    assert known(engine) == {worker, recent}


def test_the_next_of_the_same_hour_look_at_nobody_else(engine: Engine) -> None:
    worker, dead = register(engine), register(engine)
    silence(engine, worker, "1 hour")
    beat(engine, worker)
    silence(engine, dead, "8 days")
    # Unless the hour ends just now: then this one is the first again.
    same_hour = "select date_trunc('hour', last_heartbeat_at) from pgflow.workers where worker_id = %s"
    first = engine.value(same_hour, worker)
    beat(engine, worker)
    assert known(engine) == {worker, dead} or engine.value(same_hour, worker) > first


def test_sleep_marks_of_the_long_gone_are_forgotten_too(engine: Engine) -> None:
    engine.define({"a": []})
    worker = register(engine)
    engine.do("select pgflow.sleep_on_queues(gen_random_uuid(), '{flow}', 60)")
    engine.do("update pgflow.sleeping_workers set sleeping_until = sleeping_until - interval '8 days'")
    silence(engine, worker, "1 hour")
    beat(engine, worker)
    assert engine.rows("select * from pgflow.sleeping_workers") == []


def test_a_worker_that_returns_after_a_week_keeps_its_row(engine: Engine) -> None:
    worker = register(engine)
    silence(engine, worker, "8 days")
    assert beat(engine, worker)
    assert known(engine) == {worker}


def test_a_row_that_is_locked_is_left_for_the_next_time(committed: Engine, another: Callable[..., Engine]) -> None:
    worker, returning, dead = (register(committed) for _ in range(3))
    for gone in (returning, dead):
        silence(committed, gone, "8 days")
    silence(committed, worker, "1 hour")
    session = another(autocommit=False)
    session.do("select from pgflow.workers where worker_id = %s for update", returning)

    assert beat(committed, worker)

    assert known(committed) == {worker, returning}


def test_one_that_returns_while_it_is_forgotten_is_told(committed: Engine, another: Callable[..., Engine]) -> None:
    worker, returning = register(committed), register(committed)
    silence(committed, returning, "8 days")
    silence(committed, worker, "1 hour")
    forgetting, late = another(autocommit=False), another()
    beat(forgetting, worker)

    with meanwhile(lambda: beat(late, returning)) as answer:
        wait_until_blocked(committed, late)
        forgetting.connection.commit()

    assert answer.result() is False

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.plugins.engine import Engine, Row


@pytest.fixture
def worker(engine: Engine) -> UUID:
    worker_id = uuid4()
    engine.do("select pgflow.register_worker(%s, 'flow', 'main')", worker_id)
    return worker_id


def row(engine: Engine, worker: UUID) -> Row:
    return engine.row("select * from pgflow.workers where worker_id = %s", worker)


def age(engine: Engine, worker: UUID, interval: str) -> None:
    engine.do(
        """update pgflow.workers
           set started_at = started_at - %s::interval, last_heartbeat_at = last_heartbeat_at - %s::interval
           where worker_id = %s""",
        interval,
        interval,
        worker,
    )


def test_a_worker_is_noted(engine: Engine, worker: UUID) -> None:
    noted = row(engine, worker)
    assert (noted["queue_name"], noted["function_name"], noted["stopped_at"]) == ("flow", "main", None)
    assert noted["started_at"]
    assert noted["last_heartbeat_at"]


def test_a_worker_that_stops_is_noted(engine: Engine, worker: UUID) -> None:
    engine.do("select pgflow.stop_worker(%s)", worker)
    assert row(engine, worker)["stopped_at"] is not None


def test_a_worker_may_start_again(engine: Engine, worker: UUID) -> None:
    engine.do("select pgflow.stop_worker(%s)", worker)
    engine.do("select pgflow.register_worker(%s, 'flow', 'main')", worker)
    assert row(engine, worker)["stopped_at"] is None


def test_those_not_heard_of_for_a_week_are_forgotten(engine: Engine, worker: UUID) -> None:
    recent, new = uuid4(), uuid4()
    engine.do("select pgflow.register_worker(%s, 'flow', 'main')", recent)
    engine.do("select pgflow.sleep_on_queues(%s, '{}', 60)", worker)
    age(engine, worker, "8 days")
    age(engine, recent, "6 days")
    engine.do("select pgflow.register_worker(%s, 'flow', 'main')", new)
    assert {row["worker_id"] for row in engine.rows("select worker_id from pgflow.workers")} == {recent, new}


def test_their_sleep_marks_are_forgotten_too(engine: Engine) -> None:
    engine.define({"a": []})
    engine.do("select pgflow.sleep_on_queues(gen_random_uuid(), '{flow}', 60)")
    engine.do("update pgflow.sleeping_workers set sleeping_until = sleeping_until - interval '8 days'")
    engine.do("select pgflow.register_worker(gen_random_uuid(), 'flow', 'main')")
    assert engine.rows("select * from pgflow.sleeping_workers") == []

"""The connector as a worker uses it: tasks claimed, reported, extended and handed back, each list in one statement."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from pgflow.connector import PsycopgConnector
from pgflow.errors import NotJsonError
from pgflow.models import Completion, Failure, TaskKey, TaskRecord
from tests.plugins.engine import FALSY, NOBODY, Engine, fanout, single


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": single(max_attempts=2), "b": fanout("a"), "c": ["b"]})


def poll(connector: PsycopgConnector, **options: Any) -> list[TaskRecord]:
    return connector.poll_for_tasks(["flow"], **{"qty": 10, "lease": 30.0, **options})


def test_a_task_says_what_it_is(connector: PsycopgConnector, engine: Engine) -> None:
    run_id = engine.start({"x": 1})
    (task,) = poll(connector, worker_id=uuid4())

    assert (task.flow_slug, task.run_id, task.step_slug, task.task_index) == ("flow", run_id, "a", 0)
    assert (task.input, task.attempts_count) == ({"run": {"x": 1}, "deps": {}}, 1)
    assert task.key == TaskKey(run_id, "a", 0, task.token)


def test_a_run_is_worked_to_its_end(connector: PsycopgConnector, engine: Engine) -> None:
    run_id = engine.start()
    (first,) = poll(connector)
    assert connector.complete_tasks([Completion(first.key, list(FALSY))]) == []
    items = poll(connector)
    assert [task.input for task in items] == [{"item": value} for value in FALSY]
    assert connector.complete_tasks([Completion(task.key, task.input["item"]) for task in items]) == []
    (last,) = poll(connector)
    assert last.input["deps"] == {"b": list(FALSY)}
    assert connector.complete_tasks([Completion(last.key, None)]) == []

    assert engine.run(run_id)["output"] == {"c": None}


def test_a_failed_attempt_is_told_with_what_text_can_hold(connector: PsycopgConnector, engine: Engine) -> None:
    engine.start()
    (task,) = poll(connector)
    failure = Failure(task.key, "before\0after \ud800", retry_delay=0.0, traceback="line\0")
    assert connector.fail_tasks([failure]) == []

    (again,) = poll(connector)
    assert again.attempts_count == 2
    assert engine.tasks(task.run_id, "a")[0]["error_message"] == "before\N{REPLACEMENT CHARACTER}after \\ud800"


def test_a_permanent_failure_is_not_tried_again(connector: PsycopgConnector, engine: Engine) -> None:
    run_id = engine.start()
    (task,) = poll(connector)
    connector.fail_tasks([Failure(task.key, "no", permanent=True)])

    assert engine.run(run_id)["status"] == "failed"


def test_what_changed_nothing_is_told(connector: PsycopgConnector, engine: Engine) -> None:
    engine.start()
    (task,) = poll(connector)
    strange = TaskKey(NOBODY, "a", 0, 1)
    connector.complete_tasks([Completion(task.key, [])])

    assert connector.complete_tasks([Completion(task.key, [1]), Completion(strange, 1)]) == [task.key, strange]
    assert connector.fail_tasks([Failure(task.key, "late")]) == [task.key]
    assert connector.extend_leases([task.key], lease=30.0) == [task.key]
    assert connector.release_tasks([task.key]) == [task.key]


def test_nothing_is_reported_without_a_statement() -> None:
    connector = PsycopgConnector("host=/nonexistent")

    assert connector.complete_tasks([]) == connector.fail_tasks([]) == connector.release_tasks([]) == []
    assert connector.extend_leases([], lease=1.0) == []


def test_a_lease_is_extended_and_a_task_handed_back(connector: PsycopgConnector, engine: Engine) -> None:
    engine.start()
    (task,) = poll(connector, lease=0.0)
    assert connector.extend_leases([task.key], lease=60.0) == []
    assert poll(connector) == []
    assert connector.release_tasks([task.key]) == []

    (again,) = poll(connector)
    assert (again.attempts_count, again.token > task.token) == (1, True)


def test_messages_that_were_read_are_started(connector: PsycopgConnector, engine: Engine) -> None:
    engine.start()
    (message,) = engine.rows("select msg_id from pgmq.read('flow', 30, 1)")

    (task,) = connector.start_tasks("flow", [message["msg_id"]], uuid4())
    assert (task.step_slug, task.msg_id) == ("a", message["msg_id"])


def test_an_output_that_cannot_be_stored_is_refused(connector: PsycopgConnector, engine: Engine) -> None:
    engine.start()
    (task,) = poll(connector)

    with pytest.raises(NotJsonError):
        connector.complete_tasks([Completion(task.key, float("nan"))])


def test_a_sleeping_worker_is_told_when_the_next_message_is_due(connector: PsycopgConnector, engine: Engine) -> None:
    engine.define({"late": single(start_delay=100)}, flow="delayed")
    worker = uuid4()
    assert connector.sleep_on_queues(worker, ["flow", "delayed"], seconds=60) is None
    engine.start(flow="delayed")

    due = connector.sleep_on_queues(worker, ["flow", "delayed"], seconds=60)
    assert due is not None
    assert 90 < due <= 100


def test_a_worker_leaves_its_traces(connector: PsycopgConnector, engine: Engine) -> None:
    worker = uuid4()
    connector.register_worker(worker, ["flow", "other"], "me")
    assert connector.heartbeat_worker(worker)
    assert not connector.heartbeat_worker(uuid4())
    connector.stop_worker(worker)

    row = engine.row("select * from pgflow.workers where worker_id = %s", worker)
    assert (row["queue_name"], row["function_name"]) == ("flow,other", "me")
    assert row["stopped_at"] is not None


def test_a_worker_s_statement_may_take_its_time(dsn: str, engine: Engine) -> None:
    impatient = psycopg.conninfo.make_conninfo(dsn, options="-c statement_timeout=25")
    connector = PsycopgConnector(impatient)
    connector.start_flows("flow", [None] * 500)
    tasks = poll(connector, qty=500)
    connector.complete_tasks([Completion(task.key, list(range(100))) for task in tasks])

    assert len(tasks) == 500
    connector.close()


def test_without_preparing_nothing_is_set_on_the_session(dsn: str, engine: Engine) -> None:
    """As it has to be behind PgBouncer in transaction mode."""
    connector = PsycopgConnector(
        psycopg.conninfo.make_conninfo(dsn, options="-c statement_timeout=54321"), prepare_threshold=None
    )
    engine.start()
    for _ in range(10):
        poll(connector)
    ((timeout,),) = connector._fetch("select current_setting('statement_timeout')", {})
    ((prepared,),) = connector._fetch("select count(*) from pg_prepared_statements", {})

    assert (timeout, prepared) == ("54321ms", 0)
    connector.close()

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from psycopg import errors

from tests.plugins.engine import Engine
from tests.plugins.locks import wait_until_running

POLL = "select * from pgflow.poll_for_tasks(queue_name => 'flow', vt => 30, qty => 10, max_poll_seconds => %s)"


def test_it_claims_for_a_number_of_seconds(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start("input")
    (task,) = engine.rows(POLL, 0)
    assert (task["run_id"], task["step_slug"], task["input"]) == (run, "a", {"run": "input", "deps": {}})
    assert (task["task_index"], task["attempts_count"], task["token"]) == (0, 1, engine.messages()[0]["read_ct"])
    assert 29 < engine.messages()[0]["hidden"] <= 30


def test_the_parameters_keep_their_order(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    worker = uuid4()
    assert engine.rows("select * from pgflow.poll_for_tasks('flow', 30, 10, 0, 100, %s)", worker)
    assert engine.tasks(run, "a")[0]["last_worker_id"] == worker


def test_it_takes_no_more_than_asked_for(engine: Engine) -> None:
    engine.define({"a": []})
    for _ in range(3):
        engine.start()
    assert len(engine.rows("select * from pgflow.poll_for_tasks('flow', 30, 2, 0)")) == 2


def test_zero_seconds_look_once(engine: Engine) -> None:
    engine.define({"a": []})
    before = time.monotonic()
    assert engine.rows("select * from pgflow.poll_for_tasks('flow', 30, 1, 0, 60000)") == []
    assert time.monotonic() - before < 30


def test_it_gives_up_after_its_seconds(engine: Engine) -> None:
    engine.define({"a": []})
    before = time.monotonic()
    assert engine.rows("select * from pgflow.poll_for_tasks('flow', 30, 1, 1, 10)") == []
    assert 1 <= time.monotonic() - before < 30


def test_it_sees_a_run_that_was_committed_while_it_waits(committed: Engine, another: Callable[..., Engine]) -> None:
    committed.define({"a": []})
    worker = another()
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(worker.rows, POLL, 60)
        wait_until_running(committed, worker, "%poll_for_tasks%")
        run = committed.start()
        assert [task["run_id"] for task in polled.result()] == [run]


def test_a_wait_ends_once_it_has_failed_a_run(committed: Engine) -> None:
    # Until it commits nobody hears of that, and the run stays locked.
    committed.define({"a": []}, max_attempts=1)
    run = committed.start()
    committed.poll(lease=0)
    before = time.monotonic()
    assert committed.rows(POLL, 10) == []
    assert time.monotonic() - before < 5
    assert committed.run(run)["status"] == "failed"


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.rows("select * from pgflow.poll_for_tasks('nowhere', 30, 1, 0)")
    assert refusal.value.sqlstate == "PF001"

"""Workers that read the queue by pgmq's own functions start the tasks of what they have read."""

from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, Row, Task, fanout

WORKER = uuid4()


def read(engine: Engine, *, vt: int = 30, qty: int = 10) -> list[int]:
    return [row["msg_id"] for row in engine.rows("select msg_id from pgmq.read('flow', %s, %s)", vt, qty)]


def start(engine: Engine, messages: list[int]) -> list[Row]:
    return engine.rows("select * from pgflow.start_tasks('flow', %s, %s)", messages, WORKER)


def test_the_tasks_of_messages_start(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start("input")
    messages = read(engine)
    (record,) = start(engine, messages)
    assert record == {
        "flow_slug": "flow",
        "run_id": run,
        "step_slug": "a",
        "input": {"run": "input", "deps": {}},
        "msg_id": messages[0],
        "task_index": 0,
        "token": 1,
        "attempts_count": 1,
    }
    assert engine.tasks(run, "a")[0]["last_worker_id"] == WORKER


def test_one_of_two_workers_with_the_same_messages_gets_the_tasks(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    messages = read(engine)
    assert len(start(engine, messages)) == 1
    assert start(engine, messages) == []
    assert engine.tasks(run, "a")[0]["attempts_count"] == 1


def test_whoever_comes_second_does_not_shorten_the_lease_of_the_first(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    messages = read(engine, vt=30)
    start(engine, messages)
    start(engine, messages)
    assert engine.messages()[0]["hidden"] > 20


def test_whoever_read_a_message_before_its_retry_does_not_cut_the_delay(engine: Engine) -> None:
    engine.define({"a": []}, base_delay=1000)
    engine.start()
    messages = read(engine)
    (record,) = start(engine, messages)
    engine.fail(Task(**record))
    assert start(engine, messages) == []
    assert engine.messages()[0]["hidden"] > 1000


def test_whoever_read_a_message_before_it_was_handed_back_does_not_hide_it(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    messages = read(engine)
    (record,) = start(engine, messages)
    engine.release(Task(**record))
    assert start(engine, messages) == []
    assert len(engine.poll()) == 1


def test_the_same_message_twice_starts_its_task_once(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    (message,) = read(engine)
    assert len(start(engine, [message, message])) == 1
    assert engine.tasks(run, "a")[0]["attempts_count"] == 1


def test_a_message_read_again_after_its_lease_is_a_new_attempt(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    (first,) = start(engine, read(engine, vt=0))
    (second,) = start(engine, read(engine, vt=30))
    assert (second["attempts_count"], second["token"]) == (2, first["token"] + 1)


def test_a_lease_is_extended_by_starting_nothing(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    messages = read(engine, vt=30)
    start(engine, messages)
    assert engine.messages()[0]["hidden"] > 20


@pytest.mark.parametrize("messages", [[], [12345]])
def test_messages_that_are_gone_start_nothing(engine: Engine, messages: list[int]) -> None:
    engine.define({"a": []})
    engine.start()
    assert start(engine, messages) == []


def test_messages_of_a_run_that_is_over_start_nothing_and_go(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    engine.start()
    first, second = read(engine)
    (record,) = start(engine, [first])
    engine.fail(Task(**record), permanent=True)
    assert start(engine, [second]) == []
    assert engine.messages() == []


def test_four_hundred_and_ninety_tasks_of_a_dependent_fanout_start_in_one_call(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    engine.start()
    engine.complete(engine.poll_one(), [{"n": n, "text": "x" * 40} for n in range(500)])
    engine.do("set local statement_timeout = '10s'")
    assert len(start(engine, read(engine, qty=490))) == 490


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.rows("select * from pgflow.start_tasks('nowhere', '{1}', null)")
    assert refusal.value.sqlstate == "PF001"

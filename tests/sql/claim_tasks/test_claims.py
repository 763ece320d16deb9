from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, fanout


def test_a_claim_starts_the_task(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start({"x": 1})
    worker = uuid4()

    (claimed,) = engine.call("claim_tasks", p_flow_slugs=["flow"], p_qty=10, p_lease=30, p_worker_id=worker)

    (message,) = engine.messages()
    assert claimed == {
        "flow_slug": "flow",
        "run_id": run,
        "step_slug": "a",
        "input": {"run": {"x": 1}, "deps": {}},
        "msg_id": message["msg_id"],
        "task_index": 0,
        "token": message["read_ct"],
        "attempts_count": 1,
    }
    (task,) = engine.tasks(run, "a")
    assert (task["status"], task["attempts_count"], task["last_worker_id"]) == ("started", 1, worker)
    assert (task["token"], task["message_id"]) == (claimed["token"], claimed["msg_id"])
    assert task["queued_at"] <= task["started_at"]


def test_a_claim_hides_the_message_for_its_lease(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    engine.poll_one(lease=12.5)
    (message,) = engine.messages()
    assert 12 < message["hidden"] <= 12.5
    assert engine.poll() == []


def test_no_more_is_claimed_than_asked_for(engine: Engine) -> None:
    engine.define({"a": []})
    for _ in range(5):
        engine.start()
    assert [len(engine.poll(2)) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("qty", [0, -1])
def test_nothing_is_claimed_if_nothing_is_asked_for(engine: Engine, qty: int) -> None:
    engine.define({"a": []})
    engine.start()
    assert engine.poll(qty) == []


def test_an_empty_queue_has_nothing_to_claim(engine: Engine) -> None:
    engine.define({"a": []})
    assert engine.poll() == []


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        engine.poll(flow="nowhere")
    assert refusal.value.sqlstate == "PF001"
    assert refusal.value.diag.message_primary == "there is no flow 'nowhere' in the database"


def test_what_was_due_first_comes_first(engine: Engine) -> None:
    engine.define({"a": []})
    runs = [engine.start() for _ in range(3)]
    assert [engine.poll_one().run_id for _ in runs] == runs


def test_a_step_sees_only_the_dependencies_it_names(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"], "c": ["b"]})
    engine.start("input")
    worked = engine.work({"a": 1, "b": 2, "c": 3})
    assert [task.input for task in worked] == [
        {"run": "input", "deps": {}},
        {"run": "input", "deps": {"a": 1}},
        {"run": "input", "deps": {"b": 2}},
    ]


def test_a_fanouts_task_gets_its_item_and_nothing_else(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    engine.start("input")
    engine.complete(engine.poll_one(), [{"x": 1}])
    assert engine.poll_one().input == {"item": {"x": 1}}


def test_small_items_lie_on_the_task_and_large_ones_beside_it(engine: Engine) -> None:
    items = ["x" * 10, "x" * 150, "y" * 250, "y" * 100_000, ["z" * 300]]
    engine.define({"a": [], "b": fanout("a")})
    run = engine.start()
    engine.complete(engine.poll_one(), items)

    assert [task["item"] for task in engine.tasks(run, "b")] == [*items[:2], None, None, None]
    beside = engine.rows("select item from pgflow.task_items order by task_index")
    assert [row["item"] for row in beside] == items[2:]
    claimed = sorted(engine.poll(), key=lambda task: task.task_index)
    assert [task.input["item"] for task in claimed] == items


def test_a_message_of_a_task_that_is_gone_goes(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    for table in ("step_tasks", "step_states", "runs"):
        engine.do(f"delete from pgflow.{table}")
    assert engine.poll() == []
    assert engine.messages() == []


def test_a_task_that_reads_an_older_message_is_not_started_by_it(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.do("insert into pgmq.q_flow (vt, message) select vt, message from pgmq.q_flow")
    assert len(engine.poll()) == 1
    assert [message["msg_id"] for message in engine.messages()] == [engine.tasks(run, "a")[0]["message_id"]]

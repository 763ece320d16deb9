"""What others do to a queue, or with a flow, keeps no worker from its other work."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine

ODD = [
    '{"run_id": "nonsense", "step_slug": "a", "task_index": 0}',
    '{"run_id": "00000000-0000-7000-8000-000000000000", "step_slug": "a", "task_index": "x"}',
    '{"run_id": "00000000-0000-7000-8000-000000000000", "step_slug": "a", "task_index": 99999999999}',
    '{"run_id": "00000000-0000-7000-8000-000000000000", "step_slug": "a", "task_index": 0}',
    '{"foo": 1}',
    "[1]",
    '"x"',
    "null",
]


@pytest.mark.parametrize("message", ODD)
def test_a_message_that_names_no_task_is_reported_and_then_swept_away(engine: Engine, message: str) -> None:
    engine.define({"a": []})
    engine.do("select pgmq.send('flow', %s::jsonb)", message)
    assert engine.violations() == {"a message has an open task"}

    run = engine.start()
    assert [task.run_id for task in engine.poll(10)] == [run]
    assert engine.violations() == set()


def test_a_flow_that_was_deleted_keeps_nobody_from_the_others(engine: Engine) -> None:
    engine.define({"a": []}, flow="kept")
    run = engine.start(flow="kept")
    worker = "00000000-0000-7000-8000-000000000000"
    claimed = engine.rows("select * from pgflow.claim_tasks(array['gone', 'kept', 'kept'], 10, 0)")
    assert [task["run_id"] for task in claimed] == [run]
    assert engine.value("select pgflow.sleep_on_queues(%s, array['gone', 'kept', 'kept'], 5)", worker) == 0


def test_when_none_of_the_flows_is_there_it_says_so(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError, match="'gone'") as refusal:
        engine.rows("select * from pgflow.claim_tasks(array['gone'], 10, 30)")
    assert refusal.value.sqlstate == "PF001"

"""A claim never waits: what somebody else holds just now is left for later. So no claim can be part of a deadlock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from tests.plugins.engine import Engine, Task, fanout

Another = Callable[..., Engine]


@pytest.fixture
def hasty(another: Another) -> Engine:
    """A session that fails where it would have to wait at all."""
    session = another()
    session.do("set lock_timeout = '1ms'")
    return session


@contextmanager
def under_way(session: Engine) -> Iterator[Engine]:
    """What is done within is neither committed nor rolled back before the end."""
    yield session
    session.connection.rollback()


def test_two_workers_never_get_the_same_task(committed: Engine, another: Another, hasty: Engine) -> None:
    committed.define({"a": []})
    for _ in range(6):
        committed.start()
    with under_way(another(autocommit=False)) as other:
        theirs = other.poll(4)
        ours = hasty.poll(4)
    assert (len(theirs), len(ours)) == (4, 2)
    assert not {task.run_id for task in theirs} & {task.run_id for task in ours}


@pytest.mark.parametrize("report", [Engine.complete, Engine.fail, Engine.release])
def test_a_late_report_under_way_keeps_its_task(
    committed: Engine, another: Another, hasty: Engine, report: Callable[[Engine, Task], object]
) -> None:
    committed.define({"a": [], "b": ["a"]})
    committed.start()
    task = committed.poll_one(lease=0)
    with under_way(another(autocommit=False)) as reporter:
        report(reporter, task)
        assert hasty.poll() == []
    assert hasty.poll_one().token > task.token


def test_a_task_that_is_held_comes_back_a_second_later(committed: Engine, another: Another, hasty: Engine) -> None:
    committed.define({"a": []})
    committed.start()
    with under_way(another(autocommit=False)) as other:
        other.do("select from pgflow.step_tasks for update")
        assert hasty.poll(lease=1000) == []
    (message,) = committed.messages()
    assert 0 < message["hidden"] <= 1
    (task,) = committed.rows("select * from pgflow.step_tasks")
    assert (task["status"], task["attempts_count"], task["token"]) == ("queued", 0, 0)

    committed.do("update pgmq.q_flow set vt = clock_timestamp()")
    assert hasty.poll_one().attempts_count == 1


@pytest.mark.parametrize("table", ["runs", "step_tasks"])
def test_a_task_to_give_up_is_left_if_its_run_cannot_be_had(
    committed: Engine, another: Another, hasty: Engine, table: str
) -> None:
    committed.define({"a": [], "b": []}, max_attempts=1)
    run = committed.start()
    committed.poll(lease=0)
    with under_way(another(autocommit=False)) as other:
        other.do(f"select from pgflow.{table} for no key update")
        assert hasty.poll() == []
        assert committed.statuses(run) == {"a": "started", "b": "started"}
    committed.do("update pgmq.q_flow set vt = clock_timestamp()")
    assert hasty.poll() == []
    assert committed.run(run)["status"] == "failed"


def test_a_task_to_give_up_is_left_if_a_siblings_message_cannot_be_had(
    committed: Engine, another: Another, hasty: Engine
) -> None:
    committed.define({"a": [], "b": []}, max_attempts=1)
    run = committed.start()
    committed.poll(lease=0)
    with under_way(another(autocommit=False)) as other:
        other.do("select from pgmq.q_flow order by msg_id limit 1 for update")
        assert hasty.poll() == []
    assert committed.statuses(run) == {"a": "started", "b": "started"}


def test_a_claim_waits_for_no_report_of_the_same_run(committed: Engine, another: Another, hasty: Engine) -> None:
    committed.define({"a": [], "b": fanout("a")})
    committed.start()
    committed.complete(committed.poll_one(), [1, 2, 3])
    first = committed.poll_one()
    with under_way(another(autocommit=False)) as reporter:
        reporter.complete(first)
        assert len(hasty.poll()) == 2


def test_a_claim_waits_for_nobody_who_holds_the_workers_sleep_mark(
    committed: Engine, another: Another, hasty: Engine
) -> None:
    committed.define({"a": []})
    worker = uuid4()
    committed.do("select pgflow.sleep_on_queues(%s, '{flow}', 60)", worker)
    committed.start()
    with under_way(another(autocommit=False)) as other:
        other.do("select from pgflow.sleeping_workers for update")
        assert len(hasty.rows("select from pgflow.claim_tasks('{flow}', 1, 30, %s)", worker)) == 1

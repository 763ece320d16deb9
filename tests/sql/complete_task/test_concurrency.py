from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.plugins.engine import Engine, Path, fanout
from tests.plugins.locks import wait_until_blocked

both = pytest.mark.parametrize("path", ["scalar", "set-based"])


@both
def test_a_report_that_waited_for_a_new_attempt_is_stale(
    committed: Engine, another: Callable[..., Engine], path: Path
) -> None:
    committed.define({"a": [], "b": ["a"]})
    run = committed.start()
    stale = committed.poll_one(lease=0)
    poller, reporter = another(autocommit=False), another()
    reporter.path = path
    current = poller.poll_one()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(reporter.complete, stale, "stale")
        wait_until_blocked(committed, reporter)
        poller.connection.commit()
        assert report.result()["status"] == "started"
    assert committed.statuses(run) == {"a": "started", "b": "created"}
    assert committed.complete(current, "current")["output"] == "current"


@both
def test_a_report_that_waited_for_a_claim_which_was_rolled_back_is_taken(
    committed: Engine, another: Callable[..., Engine], path: Path
) -> None:
    committed.define({"a": []})
    run = committed.start()
    task = committed.poll_one(lease=0)
    poller, reporter = another(autocommit=False), another()
    reporter.path = path
    poller.poll_one()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(reporter.complete, task, "in time")
        wait_until_blocked(committed, reporter)
        poller.connection.rollback()
        assert report.result()["status"] == "completed"
    assert committed.run(run)["output"] == {"a": "in time"}
    assert committed.messages() == []


@both
def test_the_same_report_from_two_sessions_counts_once(
    committed: Engine, another: Callable[..., Engine], path: Path
) -> None:
    committed.define({"a": [], "b": fanout("a")})
    run = committed.start()
    committed.complete(committed.poll_one(), [1, 2])
    task, other = committed.poll()
    first, second = another(autocommit=False), another()
    first.path = second.path = path
    first.complete(task, "first")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(second.complete, task, "second")
        wait_until_blocked(committed, second)
        first.connection.commit()
        assert report.result()["output"] == "first"
    assert committed.step(run, "b")["remaining_tasks"] == 1
    committed.complete(other, "other")
    assert committed.run(run)["status"] == "completed"


@both
def test_the_last_two_tasks_of_a_fanout_may_end_at_once(
    committed: Engine, another: Callable[..., Engine], path: Path
) -> None:
    committed.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = committed.start()
    committed.complete(committed.poll_one(), [1, 2])
    one, two = sorted(committed.poll(), key=lambda task: task.task_index)
    first, second = another(autocommit=False), another()
    first.path = second.path = path
    first.complete(two, "two")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(second.complete, one, "one")
        wait_until_blocked(committed, second)
        first.connection.commit()
        report.result()
    assert committed.step(run, "b")["output"] == ["one", "two"]
    assert committed.poll_one().input["deps"] == {"b": ["one", "two"]}

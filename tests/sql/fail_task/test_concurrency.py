from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.plugins.engine import Engine
from tests.plugins.listening import Ear
from tests.plugins.locks import wait_until_blocked


def test_two_branches_that_fail_at_once_fail_the_run_once(
    committed: Engine, another: Callable[..., Engine], ear: Ear
) -> None:
    committed.define({"a": [], "b": []}, max_attempts=1)
    run = committed.start()
    ear.listen_to(run)
    a, b = committed.poll()
    first, second = another(autocommit=False), another()
    first.fail(a, "first")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(second.fail, b, "second")
        wait_until_blocked(committed, second)
        first.connection.commit()
        assert report.result()["status"] == "cancelled"
    after = committed.run(run)
    assert (after["error_message"], after["failed_at"] is not None) == ("first", True)
    assert ear.names(run) == ["a:failed", "run:failed"]


def test_a_completion_that_waited_for_a_failure_comes_too_late(
    committed: Engine, another: Callable[..., Engine], ear: Ear
) -> None:
    committed.define({"a": [], "b": [], "c": ["b"]}, max_attempts=1)
    run = committed.start()
    ear.listen_to(run)
    a, b = committed.poll()
    first, second = another(autocommit=False), another()
    first.fail(a)
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(second.complete, b, 1)
        wait_until_blocked(committed, second)
        first.connection.commit()
        assert report.result()["status"] == "cancelled"
    assert committed.statuses(run) == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    assert ear.names(run) == ["a:failed", "run:failed"]

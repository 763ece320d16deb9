from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.plugins.engine import Engine
from tests.plugins.listening import Ear
from tests.plugins.locks import wait_until_blocked

WATCH = "select (run).status from pgflow.watch_run(%s)"


def test_what_a_transaction_under_way_does_shows_in_the_snapshot(
    committed: Engine, another: Callable[..., Engine], ear: Ear
) -> None:
    committed.define({"a": []})
    run = committed.start(watched=False)
    worker, watcher = another(autocommit=False), another()
    worker.complete(worker.poll_one(), 1)

    ear.listen_to(run)
    with ThreadPoolExecutor(1) as pool:
        snapshot = pool.submit(watcher.value, WATCH, run)
        wait_until_blocked(committed, watcher)
        worker.connection.commit()
        assert snapshot.result() == "completed"
    assert ear.names(run) == [], "the run completed unwatched"


def test_what_comes_after_it_is_heard(committed: Engine, another: Callable[..., Engine], ear: Ear) -> None:
    committed.define({"a": []})
    run = committed.start(watched=False)
    watcher, worker = another(autocommit=False), another()
    ear.listen_to(run)
    assert watcher.value(WATCH, run) == "started"
    task = worker.poll_one()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(worker.complete, task, 1)
        wait_until_blocked(committed, worker)
        watcher.connection.commit()
        assert report.result()["status"] == "completed"
    assert ear.names(run) == ["a:completed", "run:completed"]


def test_a_run_that_is_watched_already_is_not_waited_for(committed: Engine, another: Callable[..., Engine]) -> None:
    committed.define({"a": []})
    run = committed.start()
    worker, watcher = another(autocommit=False), another()
    worker.complete(worker.poll_one(), 1)
    watcher.do("set lock_timeout = '1ms'")
    assert watcher.value(WATCH, run) == "started"

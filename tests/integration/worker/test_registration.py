"""Who works is in the database: who started, who lives, who died, who stopped."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable

import pytest

from pgflow.dsl import Flow
from pgflow.worker import Worker
from tests.integration.worker.conftest import Processes, Runs, until_a_handler_runs
from tests.plugins.engine import Row
from tests.plugins.waiting import until


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this process beat all the time."""
    monkeypatch.setattr("pgflow.worker.upkeep._HEARTBEAT", 0.05)


@pytest.fixture
def flow(release: threading.Event) -> Flow[None]:
    """Holds on to its task until it is let go."""
    flow: Flow[None] = Flow("holding")

    @flow.step
    def holds(run: None) -> None:
        release.wait(30)

    return flow


def seen(runs: Runs) -> list[Row]:
    return runs.engine.rows("select * from pgflow.get_workers()")


def pass_time(runs: Runs) -> None:
    """Let every worker have been heard of last a minute ago."""
    runs.engine.do("update pgflow.workers set last_heartbeat_at = clock_timestamp() - interval '1 minute'")


def test_a_worker_is_registered_with_all_its_flows_and_what_it_holds(
    work: Callable[..., Worker], runs: Runs, flow: Flow[None]
) -> None:
    other = Flow("other")
    other.step("never")(lambda run: None)
    worker = work(flow, other)
    runs.start(flow)
    until_a_handler_runs(worker)

    (row,) = seen(runs)
    assert row["worker_id"] == worker.worker_id
    assert row["function_name"].startswith(f"{socket.gethostname()}:")
    assert row["flow_slugs"] == ["holding", "other"]
    assert (row["status"], row["running_tasks"]) == ("running", 1)


def test_the_heartbeat_goes_on_while_a_handler_runs(
    beating: None, work: Callable[..., Worker], runs: Runs, flow: Flow[None]
) -> None:
    worker = work(flow, concurrency=1)
    runs.start(flow)
    until_a_handler_runs(worker)
    for _ in range(2):
        # So does that of a worker which was suspended, as soon as it goes on.
        pass_time(runs)
        until(lambda: seen(runs)[0]["status"] == "running")


def test_a_worker_that_was_forgotten_registers_again(
    beating: None, work: Callable[..., Worker], runs: Runs, flow: Flow[None]
) -> None:
    worker = work(flow)
    before = seen(runs)
    runs.engine.do("delete from pgflow.workers")

    until(lambda: seen(runs))
    (row,) = seen(runs)
    assert row["worker_id"] == worker.worker_id
    assert (row["function_name"], row["flow_slugs"]) == (before[0]["function_name"], ["holding"])


def test_a_worker_that_stopped_is_seen_as_stopped(work: Callable[..., Worker], runs: Runs, flow: Flow[None]) -> None:
    work(flow).stop()
    pass_time(runs)

    assert [row["status"] for row in seen(runs)] == ["stopped"]


def test_a_worker_that_was_killed_is_seen_as_dead(processes: Processes, runs: Runs) -> None:
    killed = processes.start()
    killed.signal(signal.SIGKILL)
    killed.exit_status()
    pass_time(runs)
    alive = processes.start()

    assert [(row["worker_id"], row["status"]) for row in seen(runs)] == [
        (alive.worker_id, "running"),
        (killed.worker_id, "dead"),
    ]
    assert seen(runs)[1]["function_name"].endswith(f":{killed.pid}")

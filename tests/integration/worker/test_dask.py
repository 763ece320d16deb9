"""Handlers on a Dask cluster, through its `concurrent.futures` executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import dask.config
import pytest
from distributed import Client, LocalCluster

from pgflow.dsl import Flow
from pgflow.worker import Context, Worker
from tests.integration.worker.conftest import Runs
from tests.plugins.waiting import DEADLINE, until

flow = Flow("on-dask", base_delay=0, timeout=20, max_attempts=2)


@flow.step
def folders(run: str) -> list[str]:
    return [run] * 6


@flow.step(depends_on=[folders], fanout=True)
def spread(item: str, ctx: Context) -> list[int]:
    """Wait for a call in another process."""
    (Path(item) / str(os.getpid())).touch()
    until(lambda: len(list(Path(item).iterdir())) > 1)
    return [ctx.task_index, os.getpid()]


class NeedsMore(Exception):  # noqa: N818  named like a user's
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


failing = Flow("failing-on-dask", max_attempts=2, base_delay=0)


@failing.step
def fail(run: str) -> None:
    with (Path(run) / "calls").open("a") as calls:
        calls.write(".")
    raise NeedsMore("paper", "none left")


slow = Flow("slow-on-dask", base_delay=0, timeout=1, max_attempts=1)


@slow.step
def wait_for_go(run: str) -> None:
    (Path(run) / "began").touch()
    until(lambda: (Path(run) / "go").exists(), timeout=60)


deadly = Flow("deadly-on-dask", max_attempts=1)


@deadly.step
def die(run: None) -> None:
    os._exit(1)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        # A call that has killed one worker is not tried on others.
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def executor(client: Client) -> Executor:
    client.wait_for_workers(2)  # one may have been killed by the test before
    executor: Executor = client.get_executor()
    return executor


def test_a_fan_out_spreads_over_processes(
    executor: Executor, work: Callable[..., Worker], runs: Runs, tmp_path: Path
) -> None:
    work(flow, executor=executor, concurrency=4)
    run_id = runs.start(flow, str(tmp_path))
    output = runs.output(run_id)["spread"]

    assert [index for index, _ in output] == list(range(6))
    assert len({pid for _, pid in output} - {os.getpid()}) == 2


def test_every_attempt_is_a_call_of_its_own(
    executor: Executor, work: Callable[..., Worker], runs: Runs, tmp_path: Path
) -> None:
    work(failing, executor=executor)
    run_id = runs.start(failing, str(tmp_path))

    assert runs.error(run_id) == "NeedsMore: paper: none left"
    assert (tmp_path / "calls").read_text() == ".."
    trace = runs.task(run_id, "fail")["traceback"]
    assert trace.startswith(f'Traceback (most recent call last):\n  File "{__file__}"')


def test_a_handler_that_cannot_be_sent_fails_its_attempt(
    executor: Executor, work: Callable[..., Worker], runs: Runs, tmp_path: Path
) -> None:
    local = Flow("local-on-dask", max_attempts=1)

    @local.step
    def unreachable(run: None) -> None:
        return None

    work(local, flow, executor=executor, concurrency=4)

    assert "Could not serialize" in runs.error(runs.start(local))
    assert len(runs.output(runs.start(flow, str(tmp_path)))["spread"]) == 6


def test_what_waits_in_the_cluster_when_its_time_is_up_is_never_run(
    executor: Executor, work: Callable[..., Worker], runs: Runs, tmp_path: Path
) -> None:
    worker = work(slow, executor=executor, concurrency=3)
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    run_ids = [runs.start(slow, str(tmp_path / name)) for name in ("one", "two", "three")]
    assert {runs.error(run_id) for run_id in run_ids} == {"timed out after 1 s"}
    # What runs cannot be stopped, and keeps its place as long.
    assert worker.stuck == 3
    assert worker._crew is not None
    assert worker._crew.inflight.free() == 0
    for folder in tmp_path.iterdir():
        (folder / "go").touch()
    until(lambda: worker.stuck == 0)

    assert len(list(tmp_path.glob("*/began"))) <= 2


def test_what_is_handed_back_is_cancelled(
    client: Client, executor: Executor, work: Callable[..., Worker], runs: Runs, tmp_path: Path
) -> None:
    worker = work(slow, executor=executor, concurrency=3)
    run_id = runs.start(slow, str(tmp_path))
    until((tmp_path / "began").exists)

    assert worker.stop(grace=0).handed_back == 1
    (tmp_path / "go").touch()
    assert runs.attempts(run_id, "wait_for_go") == 0
    assert client.submit(int).result(DEADLINE) == 0


def test_a_handler_that_kills_its_worker_fails_its_attempt(
    executor: Executor, work: Callable[..., Worker], runs: Runs
) -> None:
    work(deadly, executor=executor)

    assert runs.error(runs.start(deadly)).startswith("KilledWorker: Attempted to run task")

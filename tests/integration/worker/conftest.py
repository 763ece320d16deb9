"""Workers for tests: threads of the test's own process, and processes that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field

from pgflow.dsl import Flow
from pgflow.worker import Worker
from tests.plugins.databases import Connection
from tests.plugins.engine import NOBODY, Engine, Row
from tests.plugins.waiting import until

FLOWS = Path(__file__).with_name("process_flows.py")


def until_a_handler_runs(worker: Worker) -> None:
    """Return once the worker has begun something: the database shows a task as started before its handler is."""
    until(lambda: worker._crew is not None and worker._crew.inflight.running(), "a handler that runs")


@define
class Runs:
    """Starts runs and looks at them, on a connection of its own."""

    engine: Engine

    def define(self, flow: Flow[Any]) -> None:
        """Define a flow as a worker would."""
        self.engine.call("ensure_flow", p_definition=json.dumps(flow.definition()))

    def start(self, flow: Flow[Any] | str, input: Any = None, **options: Any) -> UUID:
        """Start a run of a flow that is defined."""
        return self.engine.start(input, flow=flow if isinstance(flow, str) else flow.slug, **options)

    def ended(self, run_id: UUID, timeout: float = 20) -> Row:
        """The run, once it has completed or failed."""
        until(lambda: self.engine.run(run_id)["status"] != "started", f"the end of run {run_id}", timeout=timeout)
        return self.engine.run(run_id)

    def output(self, run_id: UUID) -> Any:
        """The output of a run that has to complete."""
        run = self.ended(run_id)
        assert run["status"] == "completed", run["error_message"]
        return run["output"]

    def error(self, run_id: UUID) -> str:
        """The error of a run that has to fail."""
        run = self.ended(run_id)
        assert run["status"] == "failed"
        message: str = run["error_message"]
        return message

    def task(self, run_id: UUID, step: str, index: int = 0) -> Row:
        """One task as it now is."""
        return self.engine.tasks(run_id, step)[index]

    def attempts(self, run_id: UUID, step: str) -> int:
        """How many attempts the task of a step has had."""
        count: int = self.task(run_id, step)["attempts_count"]
        return count


@pytest.fixture
def runs(database: Connection) -> Runs:
    return Runs(Engine(database))


@pytest.fixture
def work(dsn: str) -> Iterator[Callable[..., Worker]]:
    """Starts workers on `dsn` and stops them in the end."""
    workers: list[Worker] = []

    def work(*flows: Flow[Any], **options: Any) -> Worker:
        workers.append(Worker(flows, dsn, **options))
        return workers[-1].start()

    yield work
    for worker in workers:
        worker.stop(grace=5)


@pytest.fixture
def release(work: Callable[..., Worker]) -> Iterator[threading.Event]:
    """Lets handlers go that wait for it, at the latest when the test is over."""
    event = threading.Event()
    yield event
    event.set()


@define
class WorkerProcess:
    """``pgflow worker`` on the flows of process_flows.py."""

    process: subprocess.Popen[bytes]
    log: Path
    worker_id: UUID

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def exit_status(self, timeout: float = 20) -> int:
        """The exit status, once it has ended."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end; its log:\n{self.log.read_text()}") from None


@define
class Processes:
    """Starts worker processes."""

    dsn: str
    folder: Path
    engine: Engine
    started: list[WorkerProcess] = field(factory=list)

    def start(self, *options: str, **environment: str) -> WorkerProcess:
        """Start a worker process and return it when it serves its flows."""
        known = self._known()
        worker = self.launch(*options, **environment)
        until(lambda: worker.process.poll() is not None or self._known() - known, timeout=30)
        assert worker.process.poll() is None, worker.log.read_text()
        (worker.worker_id,) = self._known() - known
        return worker

    def launch(self, *options: str, **environment: str) -> WorkerProcess:
        """Start a worker process and return it at once, before it has an id."""
        log = self.folder / f"worker-{len(self.started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pgflow", "worker", str(FLOWS), *options],
                env={**os.environ, "PGFLOW_DSN": self.dsn, **environment},
                stdout=output,
                stderr=output,
            )
        self.started.append(WorkerProcess(process, log, NOBODY))
        return self.started[-1]

    def asleep(self, worker: WorkerProcess) -> bool:
        """Whether a worker asks to be woken, by each of its flows."""
        marks = "select from pgflow.sleeping_workers where worker_id = %s and sleeping_until > clock_timestamp()"
        return bool(self.engine.rows(marks, worker.worker_id))

    def _known(self) -> set[UUID]:
        return {row["worker_id"] for row in self.engine.rows("select worker_id from pgflow.workers")}


@pytest.fixture
def processes(dsn: str, database: Connection, tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(dsn, tmp_path, Engine(database))
    yield processes
    for worker in processes.started:
        worker.process.kill()
        worker.process.wait()

"""Without the fence, or without the extension of leases, the verdict is another: two scenarios and their controls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from attrs import define

from pgflow.client import FlowClient
from tests.chaos import audit
from tests.chaos.experiment import collect
from tests.chaos.fleet import Fleet, WorkerProcess
from tests.chaos.flows import Plan, gated
from tests.chaos.history import Mishap
from tests.chaos.sabotage import without_extension, without_fence
from tests.chaos.verdict import violations
from tests.plugins.databases import Connection
from tests.plugins.waiting import until

LEASE = 1.0


@define
class Stage:
    """A database that records itself, one run whose handler waits at the gate of its attempt, and workers."""

    dsn: str
    database: Connection
    folder: Path
    fleet: Fleet
    run_id: UUID

    @property
    def token(self) -> int:
        """That of the attempt which holds the task."""
        row = self.database.execute("select token from pgflow.step_tasks where run_id = %s", [self.run_id]).fetchone()
        return row[0] if row else 0

    def open_gate(self, attempt: int) -> None:
        (self.folder / f"go-{attempt}").touch()

    def calls(self, worker: WorkerProcess, kind: str) -> int:
        """How often a worker was answered such a call."""
        return sum(call.kind == kind and call.answered for call in worker.notes().calls)

    def verdict(self, *mishaps: Mishap) -> list[str]:
        """What is wrong once the run has ended."""
        self.open_gate(1)
        self.open_gate(2)
        with FlowClient(self.dsn) as client:
            client.get_run(self.run_id).wait(30)
        self.fleet.stop(30)
        plan = Plan(gated, {"number": 7, "folder": str(self.folder)}, {"wait_at_the_gate": 7})
        return violations(collect(self.fleet, mishaps), [plan])


@pytest.fixture
def stage(dsn: str, database: Connection, tmp_path: Path) -> Iterator[Stage]:
    audit.install(dsn)
    with FlowClient(dsn) as client, Fleet(dsn, tmp_path, LEASE) as fleet:
        client.register(gated)
        run = client.start(gated, {"number": 7, "folder": str(tmp_path)})
        yield Stage(dsn, database, tmp_path, fleet, run.run_id)


def a_suspended_worker_reports_late(stage: Stage) -> list[str]:
    """The first holder is suspended, the second takes the task, and the first comes back with a result."""
    first = stage.fleet.start()
    until(lambda: stage.token == 1, timeout=30)
    first.suspend()
    second = stage.fleet.start()
    until(lambda: stage.token == 2, timeout=30)
    suspension = Mishap("suspension", frozenset([first.worker_id]), 0)
    first.resume()
    stage.open_gate(1)
    until(lambda: stage.calls(first, "complete") == 1, timeout=30)
    assert stage.calls(second, "complete") == 0
    return stage.verdict(suspension)


def a_handler_outlasts_its_lease(stage: Stage) -> list[str]:
    """The holder extends its lease, and other workers could take the task if that did nothing."""
    first = stage.fleet.start()
    until(lambda: stage.token == 1, timeout=30)
    stage.fleet.start()
    until(lambda: stage.token > 1 or stage.calls(first, "extend") >= 6, timeout=30)
    return stage.verdict()


def test_a_late_report_is_no_violation_with_the_fence(stage: Stage) -> None:
    assert a_suspended_worker_reports_late(stage) == []


def test_a_late_report_is_one_without_it(stage: Stage) -> None:
    without_fence(stage.dsn)

    wrong = a_suspended_worker_reports_late(stage)
    assert any("a complete under token 1 was accepted when the task's was 2" in each for each in wrong)


def test_a_handler_may_outlast_its_lease_with_the_extension(stage: Stage) -> None:
    assert a_handler_outlasts_its_lease(stage) == []


def test_a_handler_that_outlasts_its_lease_without_it_is_a_violation(stage: Stage) -> None:
    without_extension(stage.dsn)

    wrong = a_handler_outlasts_its_lease(stage)
    assert any("before the end of the lease that it had been granted" in each for each in wrong)


def test_a_fence_that_has_moved_is_not_taken_for_one_that_is_gone(stage: Stage) -> None:
    stage.database.execute("drop function pgflow._complete_many")

    with pytest.raises(LookupError, match="_complete_many does not say"):
        without_fence(stage.dsn)

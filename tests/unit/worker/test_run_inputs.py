from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from pgflow.errors import UnknownRunError
from pgflow.models import RunRow, RunSnapshot, RunStatus
from pgflow.worker.run_inputs import RunInputs


class Database:
    def __init__(self) -> None:
        self.asked: list[UUID] = []

    def get_run(self, run_id: UUID) -> RunSnapshot | None:
        self.asked.append(run_id)
        now = datetime.now(UTC)
        return RunSnapshot(RunRow(run_id, "flow", RunStatus.STARTED, {"n": [1]}, None, None, 1, now, None, None), ())


def test_the_tasks_of_one_run_load_it_once() -> None:
    database = Database()
    inputs = RunInputs(database.get_run)
    run_id = uuid4()

    assert [inputs.of(run_id) for _ in range(5)] == [{"n": [1]}] * 5
    assert database.asked == [run_id]


def test_each_task_has_a_copy_of_its_own() -> None:
    inputs = RunInputs(Database().get_run)
    run_id = uuid4()
    taken: Any = inputs.of(run_id)
    taken["n"].append(2)

    assert inputs.of(run_id) == {"n": [1]}


def test_only_the_last_runs_are_kept() -> None:
    database = Database()
    inputs = RunInputs(database.get_run)
    first = uuid4()
    for run_id in [first, *(uuid4() for _ in range(32)), first]:
        inputs.of(run_id)

    assert database.asked.count(first) == 2


def test_a_run_that_is_gone_is_an_error() -> None:
    with pytest.raises(UnknownRunError, match="is gone"):
        RunInputs(lambda run_id: None).of(uuid4())

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from pgflow.dsl import Flow
from pgflow.errors import UnknownRunError
from pgflow.models import Json, RunRow, RunSnapshot, RunStatus, TaskRecord
from pgflow.worker.run_inputs import RunInputs

flow = Flow("flow")


def fanout_task(run_id: UUID) -> TaskRecord:
    return TaskRecord("flow", run_id, "step", {"item": 1}, 1, 0, 1, 1)


def single_task(run: Json) -> TaskRecord:
    return TaskRecord("flow", uuid4(), "step", {"run": run, "deps": {}}, 1, 0, 1, 1)


class Database:
    def __init__(self) -> None:
        self.asked: list[UUID] = []

    def get_run(self, run_id: UUID) -> RunSnapshot | None:
        self.asked.append(run_id)
        now = datetime.now(UTC)
        return RunSnapshot(RunRow(run_id, "flow", RunStatus.STARTED, {"n": [1]}, None, None, 1, now, None, None), ())


def test_a_single_task_has_it_already() -> None:
    database = Database()

    assert RunInputs(database.get_run, {"flow": flow}).of(single_task("here")) == "here"
    assert database.asked == []


def test_the_tasks_of_one_run_load_it_once() -> None:
    database = Database()
    inputs = RunInputs(database.get_run, {"flow": flow})
    run_id = uuid4()

    assert [inputs.of(fanout_task(run_id)) for _ in range(5)] == [{"n": [1]}] * 5
    assert database.asked == [run_id]


def test_each_task_has_a_copy_of_its_own() -> None:
    inputs = RunInputs(Database().get_run, {"flow": flow})
    run_id = uuid4()
    inputs.of(fanout_task(run_id))["n"].append(2)

    assert inputs.of(fanout_task(run_id)) == {"n": [1]}


def test_only_the_last_runs_are_kept() -> None:
    database = Database()
    inputs = RunInputs(database.get_run, {"flow": flow})
    first = uuid4()
    for run_id in [first, *(uuid4() for _ in range(32)), first]:
        inputs.of(fanout_task(run_id))

    assert database.asked.count(first) == 2


def test_a_run_that_is_gone_is_an_error() -> None:
    with pytest.raises(UnknownRunError, match="is gone"):
        RunInputs(lambda run_id: None, {"flow": flow}).of(fanout_task(uuid4()))

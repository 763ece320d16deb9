"""Values of any size: what fits comes through whole and in bounded memory; what does not is a verdict, and no crash."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from pgflow import FlowClient
from tests.plugins.engine import Engine, Task, fanout
from tests.plugins.waiting import DEADLINE

MEGABYTE = 1024 * 1024

LARGEST = 268_435_455
"""Bytes of a jsonb array or object, with four for itself and four for each element."""

ROUND_TRIP = """
import pathlib, re, resource, sys
from pgflow import Flow, FlowClient, Worker

flow = Flow("heavy")

@flow.step
def one(run):
    return [run]

@flow.step(depends_on=[one], fanout=True)
def each(item):
    return item[::-1]

size = int(sys.argv[1])
text = "\\u00e9'\\"\\\\" + "x" * (size - 5)
with FlowClient() as client:
    client.register(flow)
    with Worker(flow):
        run = client.start(flow, text)
        assert run.result(120) == {"each": [text[::-1]]}
        assert client.get_run(run.run_id).input == text
# Linux counts for a child what its parent held at the fork, save in this place.
status = pathlib.Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text()) if status.exists() else None
print((int(peak[1]) if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024)
"""


def peak_of(size: int, dsn: str) -> int:
    """The most megabytes that a process has held which starts, works and reads a run of one text."""
    done = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, str(size)],
        env={**os.environ, "PGFLOW_DSN": dsn}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_large_text_comes_through_whole_in_a_few_times_its_memory(dsn: str, proof: bool) -> None:
    size = 50 if proof else 5
    # The process itself; and a snapshot of the run has the text four times, as bytes, as JSON and as a value.
    assert peak_of(size * MEGABYTE, dsn) < 150 + 40 * size


def test_an_array_of_100_000_elements_is_a_value(client: FlowClient, committed: Engine) -> None:
    committed.define({"a": [], "b": ["a"]})
    array: list[Any] = [[number, str(number), None] for number in range(100_000)]
    run = client.start("flow", array)
    assert run.input == array
    committed.work({"a": lambda task: task.input["run"], "b": lambda task: task.input["deps"]["a"]})
    assert run.result(DEADLINE) == {"b": array}


def test_an_array_of_100_000_elements_is_as_many_tasks(client: FlowClient, committed: Engine, proof: bool) -> None:
    size = 100_000 if proof else 2_000
    committed.define({"a": [], "b": fanout("a")})
    committed.path = "set-based"
    run = client.start("flow")
    committed.work({"a": list(range(size)), "b": lambda task: task.input["item"] * 2}, qty=5_000)
    assert run.result(DEADLINE) == {"b": list(range(0, 2 * size, 2))}
    assert committed.messages() == []


def test_starting_100_000_steps_worth_of_nonsense_slugs_is_refused(committed: Engine) -> None:
    committed.define({"a": []})
    with pytest.raises(psycopg.Error) as refusal:
        committed.do(
            "select pgflow.add_step('flow', 'b', (select array_agg('x' || n) from generate_series(1, 100000) as n))"
        )
    assert refusal.value.sqlstate == "PF009"
    assert len(str(refusal.value)) < 500


@pytest.fixture
def long_form(proof: bool) -> None:
    if not proof:
        pytest.skip("takes half a gigabyte: --proof")


def complete_with(engine: Engine, task: Task, size: int) -> None:
    """Report a text of so many bytes, which the server makes itself."""
    engine.do(
        "select from pgflow.complete_task(%s, %s, %s, to_jsonb(repeat('x', %s)), %s)",
        task.run_id, task.step_slug, task.task_index, size, task.token,
    )  # fmt: skip


@pytest.mark.usefixtures("long_form")
@pytest.mark.parametrize(("excess", "status"), [(0, "completed"), (1, "failed")])
def test_the_outputs_of_a_fan_out_meet_the_limit_to_the_byte(
    committed: Engine, client: FlowClient, excess: int, status: str
) -> None:
    committed.do("alter table pgflow.step_tasks alter output set storage external")
    committed.do("alter table pgflow.step_states alter output set storage external")
    committed.do("alter table pgflow.runs alter output set storage external")
    committed.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = client.start("flow")
    committed.complete(committed.poll_one(), [1, 2])
    first, second = committed.poll()
    # The longer ends where no byte of alignment is lost.
    half = LARGEST // 2 // 4 * 4
    complete_with(committed, first, half)
    complete_with(committed, second, LARGEST - 3 * 4 - half + excess)
    row = committed.row(
        "select status, error_message from pgflow.step_states where run_id = %s and step_slug = 'b'", run.run_id
    )
    assert row["status"] == status
    if status == "failed":
        failed = run.wait(DEADLINE)
        assert failed.status == "failed"
        assert failed.error_message == "The outputs of the tasks are together larger than jsonb can hold"
    else:
        # And the step that it feeds cannot be given it beside its name.
        assert committed.poll() == []
        error = committed.value("select error_message from pgflow.runs where run_id = %s", run.run_id)
        assert error == "The input of the task is larger than jsonb can hold"
    assert client.start("flow", "well").input == "well"
    assert committed.value("select count(*) from pgflow.check_invariants()") == 0


@pytest.mark.usefixtures("long_form")
def test_a_text_beyond_jsonb_is_refused_before_the_engine_sees_it(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    task = engine.poll_one()
    for call in (
        "select from pgflow.start_flow('flow', to_jsonb(repeat('x', 268435456)))",
        f"select from pgflow.complete_task('{run}', 'a', 0, to_jsonb(repeat('x', 268435456)))",
    ):
        with pytest.raises(psycopg.errors.ProgramLimitExceeded), engine.connection.transaction():
            engine.do(call)
    assert engine.complete(task, "well")["status"] == "completed"

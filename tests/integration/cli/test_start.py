"""``pgflow start``: a run, its input from wherever it is, and its result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pgflow import Flow, FlowClient, Worker
from pgflow.cli import _nobody
from tests.integration.cli.conftest import Pgflow
from tests.plugins.databases import Connection
from tests.plugins.waiting import until

flow = Flow("double", max_attempts=1)


@flow.step
def numbers(run: Any) -> Any:
    return run


@flow.step(depends_on=[numbers], fanout=True)
def double(item: Any) -> Any:
    if item == "broken":
        raise ValueError("it broke\nin two")
    if item == "coloured":
        raise ValueError("\x1b[2J it is red")
    return 2 * item


@pytest.fixture
def defined(dsn: str) -> None:
    with FlowClient(dsn) as client:
        client.register(flow)


@pytest.fixture
def worker(dsn: str) -> Iterator[None]:
    with Worker(flow, dsn):
        yield


def inputs(database: Connection) -> list[Any]:
    return [row[0] for row in database.execute("select input from pgflow.runs order by started_at")]


@pytest.mark.usefixtures("defined")
def test_it_prints_the_id_of_the_run_and_nothing_else(pgflow: Pgflow, database: Connection) -> None:
    result = pgflow("start", "double", "[1, 2]")

    assert result.exit_code == 0, result.output
    (found,) = database.execute("select run_id, input from pgflow.runs").fetchall()
    assert found == (UUID(result.stdout.strip()), [1, 2])
    assert result.stderr == ""


@pytest.mark.usefixtures("defined")
def test_the_input_comes_from_the_line_a_file_standard_input_or_is_null(
    pgflow: Pgflow, database: Connection, tmp_path: Path
) -> None:
    (tmp_path / "input.json").write_text('["größer"]', encoding="utf-8")

    pgflow("start", "double", "--", "-5")
    pgflow("start", "double", f"@{tmp_path / 'input.json'}")
    pgflow("start", "double", "-", input="[7]\n")
    pgflow("start", "double")

    assert inputs(database) == [-5, ["größer"], [7], None]


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("hello", "a string takes quotes: '\"hello\"'"),
        ("", "INPUT is no JSON"),
        ("NaN", "nan is no JSON number"),
        ("@no/such/file.json", "no/such/file.json cannot be read"),
        ("-", "standard input is no JSON"),
    ],
)
def test_an_input_that_is_none_is_refused_in_one_line(
    pgflow: Pgflow, database: Connection, given: str, said: str
) -> None:
    result = pgflow("start", "double", given, input="{")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert inputs(database) == []


def test_an_unknown_flow_is_said_in_one_line(pgflow: Pgflow) -> None:
    result = pgflow("start", "nonsense")

    assert result.exit_code == 1
    assert "nonsense" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("defined")
def test_the_same_key_finds_the_same_run(pgflow: Pgflow, database: Connection) -> None:
    first, second = (pgflow("start", "double", "[1]", "--key", "order-7") for _ in range(2))
    other = pgflow("start", "double", "[2]", "--key", "order-7")

    assert first.stdout == second.stdout
    assert other.exit_code == 1
    assert inputs(database) == [[1]]


@pytest.mark.usefixtures("worker")
def test_waiting_prints_the_output(pgflow: Pgflow) -> None:
    result = pgflow("start", "double", "[1, 2]", "--wait")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"double": [2, 4]}


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_who_waits_where_nobody_works_is_told(pgflow: Pgflow, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(_nobody, "_SOON", 0.0)
    result = pgflow("start", "double", "[1]", how, "--timeout", "3")

    assert result.exit_code == 1
    assert result.stderr.count("no worker serves double: start one, `pgflow worker MODULE`") == 1


@pytest.mark.usefixtures("worker")
def test_who_waits_for_a_worker_that_takes_its_time_is_told_nothing(
    pgflow: Pgflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_nobody, "_SOON", 0.0)

    assert "no worker" not in pgflow("start", "double", "[1, 2]", "--wait").stderr


@pytest.mark.usefixtures("worker")
def test_a_run_that_fails_is_an_exit_status_and_says_why(pgflow: Pgflow) -> None:
    result = pgflow("start", "double", '["broken"]', "--wait")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "failed at step 'double': ValueError: it broke in two" in result.stderr


@pytest.mark.usefixtures("worker")
def test_following_tells_what_happens_beside_the_output(pgflow: Pgflow) -> None:
    result = pgflow("start", "double", "[1]", "--follow")

    assert json.loads(result.stdout) == {"double": [2]}
    told = [line.split(" s  ")[1] for line in result.stderr.splitlines()]
    assert told == [
        "run started",
        "numbers started",
        "numbers completed",
        "double started",
        "double completed",
        "run completed",
    ]


@pytest.mark.usefixtures("worker")
def test_following_a_failure_tells_the_error_where_it_happens(pgflow: Pgflow) -> None:
    result = pgflow("start", "double", '["broken"]', "--follow")

    assert result.exit_code == 1
    assert "double failed: ValueError: it broke in two\n" in result.stderr


@pytest.mark.usefixtures("worker")
def test_the_message_of_a_handler_steers_no_terminal(pgflow: Pgflow) -> None:
    result = pgflow("start", "double", '["coloured"]', "--follow")

    assert "double failed: ValueError: \\x1b[2J it is red\n" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.usefixtures("worker")
def test_json_is_the_run_in_one_document_or_its_events_one_a_line(pgflow: Pgflow) -> None:
    waited = json.loads(pgflow("start", "double", "[1]", "--wait", "--json").stdout)
    events = [json.loads(line) for line in pgflow("start", "double", "[1]", "--follow", "--json").stdout.splitlines()]

    assert (waited["status"], waited["output"], waited["error_message"]) == ("completed", {"double": [2]}, None)
    assert waited["completed_at"] > waited["started_at"]
    assert events[0]["event"] == "run:started"
    assert events[-1]["event"] == "run:completed"
    assert events[-1]["payload"]["output"] == {"double": [2]}


@pytest.mark.usefixtures("worker")
def test_json_tells_of_a_failure_as_well(pgflow: Pgflow) -> None:
    result = pgflow("start", "double", '["broken"]', "--wait", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error_message"] == "ValueError: it broke\nin two"


@pytest.mark.usefixtures("defined")
def test_a_timeout_ends_the_waiting_and_not_the_run(pgflow: Pgflow, database: Connection) -> None:
    result = pgflow("start", "double", "[1]", "--wait", "--timeout", "0.05")

    assert result.exit_code == 1
    assert "0.05" in result.stderr
    assert database.execute("select status from pgflow.runs").fetchall() == [("started",)]


@pytest.mark.usefixtures("defined")
def test_a_timeout_without_waiting_is_a_mistake(pgflow: Pgflow) -> None:
    assert pgflow("start", "double", "--timeout", "1").exit_code == 2


@pytest.mark.usefixtures("defined")
def test_an_interrupt_ends_the_waiting_and_says_that_the_run_goes_on(dsn: str, database: Connection) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pgflow", "start", "double", "[1]", "--wait"],
        env={**os.environ, "PGFLOW_DSN": dsn},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: database.execute("select from pgflow.runs where watched").rowcount == 1, "a watched run", timeout=30)
    process.send_signal(signal.SIGINT)
    output, words = process.communicate(timeout=30)

    assert (process.returncode, output) == (1, "")
    assert "it goes on" in words
    assert "Traceback" not in words

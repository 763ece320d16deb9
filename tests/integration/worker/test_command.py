"""The command ``pgflow worker``, short of working."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

from pgflow.cli.worker import worker
from tests.integration.worker.conftest import FLOWS, Processes, Runs
from tests.plugins.waiting import until


def invoke(*arguments: str) -> Result:
    from pgflow.cli import main

    return CliRunner().invoke(main, ["worker", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("no_such_module_here", "--dsn", "host=nowhere"),
            "there is no module 'no_such_module_here' here or installed",
        ),
        (
            (f"{FLOWS}:nonsense", "--dsn", "host=nowhere"),
            "has no flow 'nonsense'; it has crowd, deadly, patient, quick",
        ),
        (("json", "--dsn", "host=nowhere"), "json has no Flow among its variables"),
    ],
)
def test_what_it_cannot_serve_is_said_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*arguments)

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert result.output.count("\n") == 1


def test_a_server_that_is_not_there_is_said_in_one_line_without_the_password() -> None:
    result = invoke(str(FLOWS), "--dsn", "postgresql://me:geheim@127.0.0.1:1/none?connect_timeout=2")

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert "geheim" not in result.output


@pytest.mark.parametrize("option", [("--concurrency", "0"), ("--lease", "0"), ("--grace", "-1")])
def test_options_that_cannot_be_are_refused(option: tuple[str, str]) -> None:
    assert invoke(str(FLOWS), *option).exit_code == 2


def test_it_serves_the_flows_of_a_file(processes: Processes, runs: Runs) -> None:
    processes.start("--concurrency", "3")

    assert runs.output(runs.start("quick", 21)) == {"double": 42}


@pytest.mark.parametrize("way", ["option", "environment"])
def test_its_listener_takes_the_way_that_it_is_given(processes: Processes, runs: Runs, way: str) -> None:
    direct = make_conninfo(processes.dsn, application_name="the direct way")
    if way == "option":
        processes.start("--listen-dsn", direct)
    else:
        processes.start(PGFLOW_LISTEN_DSN=direct)

    assert runs.engine.value("select count(*) from pg_stat_activity where application_name = 'the direct way'") == 1
    assert runs.output(runs.start("quick", 21)) == {"double": 42}


def test_it_says_what_it_serves(processes: Processes) -> None:
    started = processes.start()

    until(lambda: f"worker {started.worker_id} serves crowd, quick, patient, deadly" in started.log.read_text())


def test_the_help_tells_the_exit_statuses() -> None:
    text = CliRunner().invoke(worker, ["--help"]).output

    assert "130" in text
    assert "handed back" in text

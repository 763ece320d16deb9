"""``flask pgflow migrate`` and ``flask pgflow worker``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from pgflow import migrations
from tests.integration.flask.greetings import create_app
from tests.plugins.engine import Engine
from tests.plugins.waiting import DEADLINE, until

ROOT = Path(__file__).resolve().parents[3]
APP = "tests.integration.flask.greetings:create_app"


def flask(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["pgflow", *arguments])
    return result.exit_code, result.output


def test_migrate_brings_the_schema_and_says_where_it_is(blank_dsn: str) -> None:
    app = create_app({"PGFLOW_DSN": blank_dsn})
    status, said = flask(app, "migrate", "--status")
    assert (status, said.count("\n")) == (1, 2)
    assert "no schema" in said

    assert flask(app, "migrate") == (0, f"the database is at revision {migrations.head()}\n")
    assert flask(app, "migrate", "--status")[0] == 0
    assert flask(app, "migrate", "--downgrade", "base") == (0, "the database has no pgflow schema any more\n")


def test_a_script_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)
    status, said = flask(create_app(), "migrate", "--sql")

    assert status == 0
    assert "create schema" in said.lower()


def test_the_help_says_what_it_takes_and_not_what_the_configuration_is_for(app: Flask) -> None:
    for command in ("migrate", "worker"):
        status, said = flask(app, command, "--help")
        assert status == 0
        assert "--dsn" not in said
    assert "--concurrency" in said


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ({"PGFLOW_DSN": None}, ("worker",), "Error: PGFLOW_DSN: no database was named"),
        ({"PGFLOW_DSN": None}, ("migrate",), "Error: PGFLOW_DSN: no database was named"),
        ({"PGFLOW_FLOWS": []}, ("worker",), "Error: there is no flow to work on: list some as PGFLOW_FLOWS"),
        ({"PGFLOW_FLOWS": ["json"]}, ("worker",), "Error: json has no Flow among its variables"),
        ({}, ("worker", "no_such_module"), "Error: there is no module 'no_such_module' here or installed"),
        ({}, ("worker",), "Error: connection"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(
    config: dict[str, object],
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)
    nowhere = f"postgresql://me:geheim@/none?host={tmp_path}"
    status, said = flask(create_app({"PGFLOW_DSN": nowhere, **config}), *arguments)

    assert status == 1
    assert said.startswith(message)
    assert said.count("\n") == 1
    assert "geheim" not in said


@pytest.mark.parametrize("options", [(), ("--processes", "--concurrency", "2")], ids=["threads", "processes"])
def test_a_worker_process_runs_handlers_in_the_context_of_the_application(
    options: tuple[str, ...], dsn: str, engine: Engine, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", APP, "pgflow", "worker", *options],
            cwd=ROOT,
            env={**os.environ, "FLASK_PGFLOW_DSN": dsn, "FLASK_MARK": "?"},
            stdout=output,
            stderr=output,
        )
    try:
        until(
            lambda: process.poll() is not None or engine.rows("select from pgflow.workers"),
            "a worker",
            timeout=3 * DEADLINE,
        )
        assert process.poll() is None, log.read_text()
        run_id = engine.start("hello there", flow="greet")
        until(lambda: engine.run(run_id)["status"] != "started", "the end of the run", timeout=3 * DEADLINE)
        assert engine.run(run_id)["output"] == {"sentence": "HELLO? THERE?"}, log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(3 * DEADLINE) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert engine.value("select count(*) from pgflow.workers where stopped_at is null") == 0

"""``pgflow watch``: a run as it goes on, and how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import Engine, Steps, fanout
from tests.plugins.waiting import DEADLINE, until

STEPS: Steps = {"list": [], "each": fanout("list"), "sum": ["each"]}


@contextmanager
def watching(dsn: str, run_id: UUID, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Watch a run in a process of its own during the block."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pgflow", "watch", str(run_id), "--dsn", dsn], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_it_follows_a_run_to_its_end(engine: Engine, dsn: str, tmp_path: Path) -> None:
    engine.define(STEPS)
    run_id = engine.start()
    output = tmp_path / "watch"
    with watching(dsn, run_id, output) as process:
        until(lambda: "▶ list" in output.read_text(), "a first line", timeout=3 * DEADLINE)
        engine.complete(engine.poll(1)[0], list(range(8)))
        for task in engine.poll(4):
            engine.complete(task, 1)
        until(lambda: "▶ each  4 of 8 tasks" in output.read_text(), "half of the tasks", timeout=3 * DEADLINE)
        engine.fail(engine.poll(1)[0], "not\nyet")
        until(lambda: "attempt 1 of 3 failed: not yet" in output.read_text(), "a retry", timeout=3 * DEADLINE)
        engine.work({"each": 1, "sum": 8})
        assert process.wait(3 * DEADLINE) == 0

    lines = output.read_text().splitlines()
    assert lines[0] == f"run {run_id} of flow"
    assert [line.split("  ")[0] for line in lines if line.startswith("✓")][:3] == ["✓ list", "✓ each", "✓ sum"]
    assert lines[-1].startswith("✓ completed after ")
    assert all("\x1b" not in line for line in lines)


def test_it_goes_on_where_a_connection_is_lost(engine: Engine, dsn: str, tmp_path: Path) -> None:
    engine.define(STEPS)
    run_id = engine.start()
    output = tmp_path / "watch"
    with watching(dsn, run_id, output) as process:
        until(lambda: "▶ list" in output.read_text(), "a first line", timeout=3 * DEADLINE)
        engine.do(
            """select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and application_name = 'pgflow watch'"""
        )
        engine.work({"list": [1, 2], "each": 2, "sum": 3})
        status = process.wait(3 * DEADLINE)

    assert (status, output.read_text().splitlines()[-1][:11]) == (0, "✓ completed")


def test_a_run_that_failed_is_an_exit_status_and_its_error(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(STEPS, max_attempts=1)
    run_id = str(engine.start())
    engine.fail(engine.poll(1)[0], "no list today")

    text = pgflow.output("watch", run_id, status=1)
    assert "↻ list[0]  attempt 1 of 1 failed: no list today" in text
    assert text.splitlines()[-1].endswith(": no list today")


def test_json_is_an_event_a_line(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(STEPS)
    run_id = str(engine.start({"n": 1}))
    engine.work({"list": [1], "each": 2, "sum": 3})

    events = pgflow.objects("watch", run_id, "--json")
    assert [event["event"] for event in events] == [
        "run:started",
        "list:started",
        "list:completed",
        "each:started",
        "each:completed",
        "sum:started",
        "sum:completed",
        "run:completed",
    ]
    assert {event["payload"]["run_id"] for event in events} == {run_id}
    assert events[0]["payload"]["input"] == {"n": 1}
    assert events[-1]["payload"]["output"] == {"sum": 3}


def test_ctrl_c_leaves_the_run_alone(engine: Engine, dsn: str, tmp_path: Path) -> None:
    engine.define(STEPS)
    run_id = engine.start()
    output = tmp_path / "watch"
    with watching(dsn, run_id, output) as process:
        until(lambda: "▶ list" in output.read_text(), "a first line", timeout=3 * DEADLINE)
        process.send_signal(signal.SIGINT)
        assert process.wait(3 * DEADLINE) == 130

    assert f"run {run_id} goes on: pgflow watch {run_id}" in output.read_text()
    assert engine.run(run_id)["status"] == "started"


def test_a_role_that_reads_no_tables_watches_without_attempts(pgflow: Pgflow, engine: Engine) -> None:
    engine.define(STEPS)
    run_id = str(engine.start())
    engine.work({"list": [1, 2], "each": 2, "sum": 3})
    pgflow.dsn += " options='-c role=pgflow_client'"

    text = pgflow.output("watch", run_id)
    assert "✓ each  2 of 2 tasks" in text
    assert "✓ completed after" in text


@pytest.mark.parametrize("columns", ["100", "40"])
def test_a_terminal_gets_a_picture_in_colour(engine: Engine, dsn: str, columns: str) -> None:
    engine.define(STEPS)
    run_id = engine.start()
    engine.work({"list": [1, 2], "each": 2, "sum": 3})
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": columns, "LINES": "24"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "pgflow", "watch", str(run_id), "--dsn", dsn], stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:  # how Linux says that the other side is closed
            pass
        assert process.wait(3 * DEADLINE) == 0
    os.close(ours)

    assert "\x1b[32m✓" in shown.decode()
    assert "━" in shown.decode()
    assert "\x1b[32meach" in shown.decode()

"""The demo as its user runs it: as a program, with a worker of its own, until its end or a signal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from site_server import SiteServer

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "analyze_websites.py"
SECONDS = 120

Demo = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def demo(dsn: str, tmp_path: Path) -> Iterator[Demo]:
    """Start the demo in an empty folder, with URLs; it is stopped in the end if the test has not done so."""
    started: list[subprocess.Popen[str]] = []

    def start(*urls: str, database: str | None = dsn) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name not in ("PGFLOW_DSN", "FORCE_COLOR")}
        if database is not None:
            environment["PGFLOW_DSN"] = database
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *urls],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=SECONDS)


def said_until(process: subprocess.Popen[str], expected: str) -> str:
    """Read what a program says up to the line with the expected text."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if expected in line:
            return said
    pytest.fail(f"{expected!r} was never said, but:\n{said}")


def other_sessions(database: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Who else is connected to the database."""
    return database.execute(
        "select pid, application_name, query from pg_stat_activity"
        " where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
    ).fetchall()


def test_the_site_is_analyzed_with_its_hiccups(demo: Demo, database: psycopg.Connection[Any]) -> None:
    process = demo()
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    assert "\x1b" not in said
    assert re.search(r"^✓ analyze-site: 29 of 29 tasks, completed", said, re.MULTILINE)
    assert re.search(r"^  retry \S+/tide-tables\.html: attempt 2 failed, .*answered 500", said, re.MULTILINE)
    assert re.search(r"^  retry \S+/tide-tables\.html: attempt 3 succeeded", said, re.MULTILINE)
    assert re.search(r"Письмо на радио\s+│\s+ru\b", said)
    assert re.search(r"lost-ferry\.html\s+│\s+answered 404 Not Found", said)
    assert re.search(r"29 pages\s+│\s+2 unreadable\s+│\s+11\b", said)
    assert "Longest: chronicle.html" in said
    assert database.execute("select status from pgflow.runs").fetchall() == [("completed",)]
    assert other_sessions(database) == []


def test_addresses_replace_the_site(demo: Demo) -> None:
    with SiteServer() as site:
        process = demo(site.root + "ferry.html", site.root + "ferry.html", site.root + "hush.html")
        said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    assert "Ferry times & fares" in said
    assert "2 pages" in said


def test_a_failed_run_is_status_1_and_says_why(demo: Demo) -> None:
    process = demo("ftp://kelden.example/")
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "The run failed: 'ftp://kelden.example/' is no http:// or https:// address" in said
    assert "Traceback" not in said


def test_a_server_that_does_not_answer_is_one_line(demo: Demo, tmp_path: Path) -> None:
    process = demo(database=f"host={tmp_path} dbname=nothing connect_timeout=2")
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "error: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_running(
    number: signal.Signals, demo: Demo, database: psycopg.Connection[Any], tmp_path: Path
) -> None:
    process = demo()
    said_until(process, "> analyze-site")
    process.send_signal(number)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1] == f"Stopped by {number.name}; nothing is left running."
    assert "Traceback" not in said
    assert other_sessions(database) == []
    unstopped = database.execute("select * from pgflow.workers where stopped_at is null").fetchall()
    assert unstopped == [], (tmp_path / ".pgflow" / "worker.log").read_text(encoding="utf-8")


def test_the_embedded_server_is_started_and_stopped_again(demo: Demo, tmp_path: Path) -> None:
    with SiteServer() as site:
        for _ in range(2):
            process = demo(site.root + "hush.html", database=None)
            said, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, said
            assert (tmp_path / ".pgflow" / "worker.log").exists()
            assert list((tmp_path / ".pgflow").rglob("PG_VERSION")) != []
            assert list((tmp_path / ".pgflow").rglob("postmaster.pid")) == []


def test_a_signal_stops_the_embedded_server_too(demo: Demo, tmp_path: Path) -> None:
    process = demo(database=None)
    said_until(process, "> analyze-site")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert list((tmp_path / ".pgflow").rglob("postmaster.pid")) == []

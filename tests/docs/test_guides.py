"""The guides' Python, as printed: the blocks of a guide are one program, save those that say they are not run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy

from pgflow import Flow, FlowClient, Worker
from tests.docs.pages import Page
from tests.plugins.browser import fetch, open_stream
from tests.plugins.databases import Connection
from tests.plugins.gunicorn import gunicorn
from tests.plugins.waiting import DEADLINE, until


@contextmanager
def running(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a command of Python's during the block, and have it stop in order."""
    log = folder / f"{command[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        status = process.wait(3 * DEADLINE)
    assert status == 0, log.read_text()


def knows(dsn: str, flow: str) -> bool:
    """Whether a database has a flow."""
    with psycopg.connect(dsn) as connection:
        return connection.execute("select from pgflow.flows where flow_slug = %s", [flow]).rowcount == 1


@pytest.mark.parametrize("program", ["on_processes.py", "on_dask.py"])
def test_executors(program: str, dsn: str, tmp_path: Path) -> None:
    Page("guides/executors.md").write_files(tmp_path)
    done = subprocess.run(
        [sys.executable, program],
        env={**os.environ, "PGFLOW_DSN": dsn},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stdout == "{'total': 285}\n", done.stderr
    assert done.returncode == 0


def test_flask(blank_dsn: str, tmp_path: Path) -> None:
    page = Page("guides/flask.md")
    page.write_files(tmp_path)
    migrate, work, serve = (shlex.split(line) for line in page.commands())
    environment = {**os.environ, "FLASK_PGFLOW_DSN": blank_dsn}
    subprocess.run(
        [sys.executable, "-m", *migrate], cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    with (
        running(work, tmp_path, environment),
        gunicorn(serve[-1], tmp_path, *serve[1:-1], "--chdir", str(tmp_path), FLASK_PGFLOW_DSN=blank_dsn) as server,
    ):
        until(lambda: knows(blank_dsn, "ship-order"), "a worker", timeout=3 * DEADLINE)
        status, started = fetch("POST", f"{server.url}/orders/7")
        assert status == 202
        with open_stream(f"{server.url}/runs/{started['run_id']}/events") as stream:
            names = {frame.event for frame in stream.until("end")}
        assert fetch("GET", server.url + started["result"]) == (200, {"send": [f"7-{n} by bicycle" for n in (1, 2, 3)]})
        assert fetch("GET", f"{server.url}/runs/nonsense")[0] == 404
    listened_to = set(re.findall(r'addEventListener\("([^"]+)"', page.text))
    assert listened_to <= {*names, "step:progress", "run:failed", "error"}

    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "test_orders.py"],
        cwd=tmp_path,
        env={**os.environ, "PGFLOW_TEST_DSN": blank_dsn},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def test_waiting(
    dsn: str, database: Connection, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    letters: Flow[str] = Flow("count-letters", input=str)
    orders: Flow[int] = Flow("ship-order", input=int)

    @letters.step
    def total(run: str) -> int:
        return len(run.replace(" ", ""))

    @orders.step
    def ship(run: int) -> int:
        return run

    monkeypatch.setenv("PGFLOW_DSN", dsn)
    database.execute("create table orders (id int primary key)")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect)
    names = {"dsn": dsn, "engine": engine}
    with Worker([letters, orders], dsn):
        exec(compile(Page("guides/waiting.md").program(), "waiting.md", "exec"), names)
        names["client"].close()  # type: ignore[attr-defined]
        until(lambda: database.execute("select from pgflow.runs where status = 'started'").rowcount == 0)
    engine.dispose()

    assert database.execute("select id from orders order by id").fetchall() == [(1,), (2,)]
    assert database.execute("select distinct status from pgflow.runs").fetchall() == [("completed",)]


def test_testing(dsn: str, tmp_path: Path) -> None:
    page = Page("guides/testing.md")
    page.write_files(tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."]
    environment = {**os.environ, "PGFLOW_TEST_DSN": dsn}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    written = page.text.count("\ndef test_")
    assert f"{written} passed" in done.stdout, done.stdout + done.stderr

    shown = re.search(r"^AssertionError: .*?^```", page.text, flags=re.DOTALL | re.MULTILINE)
    assert shown is not None
    (tmp_path / "test_failing.py").write_text(FAILING, encoding="utf-8")
    done = subprocess.run(
        [*command, "-k", "fails"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    for line in shown[0].splitlines()[1:-1]:
        assert line in done.stdout
    assert "raise FailPermanently" in done.stdout


FAILING = """
from orders import Order, flow

from pgflow.testing import assert_completed


def test_fails(pgflow_run):
    assert_completed(pgflow_run(flow, Order(7, [31])))
"""


def test_transactions(
    dsn: str, database: Connection, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    for statement in (
        "create table invoices (id int primary key, amount int, paid boolean default false)",
        "create table ledger (invoice_id int, amount int)",
        "create table receipts (id int generated by default as identity primary key, invoice_id int)",
    ):
        database.execute(statement.encode())
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connect(autocommit=False), poolclass=sqlalchemy.NullPool
    )
    # The guide defines the flow, and its readers start a worker before they go on.
    definitions, rest = Page("guides/transactions.md").program().split("from pgflow import FlowClient\n")
    names: dict[str, Any] = {"engine": engine, "__name__": "guide", "FlowClient": FlowClient}
    exec(compile(definitions, "transactions.md", "exec", dont_inherit=True), names)
    with Worker(names["flow"], dsn):
        exec(compile(rest, "transactions.md", "exec", dont_inherit=True), names)
        names["client"].close()

    assert names["run"].output == {"receipt": 1}
    assert database.execute("select * from ledger").fetchall() == [(7, 120)]
    assert database.execute("select paid from invoices").fetchall() == [(True,)]


def test_workers(
    dsn: str, database: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    names: dict[str, Any] = {"__name__": "guide"}
    try:
        exec(compile(Page("guides/workers.md").program(), "workers.md", "exec", dont_inherit=True), names)
    finally:
        names["worker"].stop()

    assert f":{os.getpid()}', ['ship-order', 'send-mail'], 'running', 0)" in capsys.readouterr().out
    assert database.execute("select status from pgflow.get_workers()").fetchall() == [("stopped",)]
    assert database.execute("select distinct status from pgflow.runs").fetchall() == [("completed",)]


def test_watching(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page("guides/watching.md")
    page.write_files(tmp_path)
    (command,) = page.commands()
    drawn = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "\n".join(line.rstrip() for line in drawn.stdout.splitlines()) in page.text

    monkeypatch.setenv("PGFLOW_DSN", dsn)
    definitions, rest = page.program().split("from pgflow import FlowClient\n")
    names: dict[str, Any] = {"__name__": "guide", "FlowClient": FlowClient}
    exec(compile(definitions, "watching.md", "exec", dont_inherit=True), names)
    with Worker(names["flow"], dsn):
        exec(compile(rest, "watching.md", "exec", dont_inherit=True), names)
    shown = capsys.readouterr()
    assert "✓ pack  12 of 12 tasks" in shown.err
    assert "class s0,s1,s2,s3 completed" in shown.out

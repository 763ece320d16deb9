"""Upgrades while workers and callers of the old and the new code go on: nothing fails, and no run is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgflow import Flow, migrations
from tests.migrations.code_of import CASES, flows_of
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.waiting import DEADLINE, until

ENOUGH = 20
"""Runs that have to be started in each phase, most of them after another one of the same caller has completed."""

PATIENCE = 3 * DEADLINE


@contextmanager
def code_of(revision: str, dsn: str, folder: Path) -> Iterator[None]:
    """A process with a worker and callers of some version; it has to end well, and may have had nothing to say."""
    folder.mkdir()
    log, ready = folder / "log", folder / "ready"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.migrations.code_of", revision, str(ready)],
            env={**os.environ, "PGFLOW_DSN": dsn},
            cwd=Path(__file__).parents[2],
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: ready.exists() or process.poll() is not None, "a worker", timeout=PATIENCE)
        yield
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    assert (log.read_text(), status) == ("", 0)


@contextmanager
def plain_sql(dsn: str, flows: list[Flow[Any]]) -> Iterator[None]:
    """A caller that knows nothing but SQL, and so has no version."""
    over = threading.Event()
    failures: list[BaseException] = []

    def run(engine: Engine, flow: Flow[Any]) -> None:
        run_id = engine.start(CASES[flow][0], flow=flow.slug)
        until(lambda: engine.run(run_id)["status"] == "completed", "a run", timeout=PATIENCE)

    def call() -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                while not over.is_set():
                    for flow in flows:
                        run(Engine(connection), flow)
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert failures == []


def test_others_go_on_while_an_upgrade_waits_for_somebody_to_finish(dsn: str, database: Connection) -> None:
    engine = Engine(database)
    engine.define({"a": []})
    migrations.downgrade(dsn, migrations.revisions()[-2])
    waiting = "select from pg_stat_activity where query like '%pgflow_hold%' and wait_event_type in ('Lock', 'Timeout')"
    with ThreadPoolExecutor() as threads:
        with psycopg.connect(dsn) as somebody:
            Engine(somebody).start()
            upgrade = threads.submit(migrations.upgrade, dsn)
            until(lambda: database.execute(waiting).rowcount == 1, "the upgrade to wait")
            run_id = engine.start()
            assert engine.run(run_id)["status"] == "started"
            assert not upgrade.done()
        upgrade.result(PATIENCE)
    assert migrations.current(database) == migrations.head()


@pytest.mark.parametrize("revision", migrations.revisions()[:-1])
def test_runs_go_on_while_the_schema_is_upgraded(revision: str, blank_dsn: str, tmp_path: Path) -> None:
    migrations.upgrade(blank_dsn, revision)
    with psycopg.connect(blank_dsn, autocommit=True) as connection, ExitStack() as everybody:
        engine = Engine(connection)

        def runs() -> int:
            count: int = engine.value("select count(*) from pgflow.runs")
            return count

        def go_on() -> None:
            goal = runs() + ENOUGH
            until(lambda: runs() >= goal, "runs", timeout=PATIENCE)

        old = ExitStack()
        everybody.enter_context(old)
        for number in range(2):
            old.enter_context(code_of(revision, blank_dsn, tmp_path / f"old-{number}"))
        with plain_sql(blank_dsn, flows_of(revision)):
            go_on()
            migrations.upgrade(blank_dsn)
            go_on()
            # What is of the old code may also connect anew, as when a machine is replaced before its code is.
            old.enter_context(code_of(revision, blank_dsn, tmp_path / "old-late"))
            everybody.enter_context(code_of(migrations.head(), blank_dsn, tmp_path / "new"))
            go_on()
            old.close()
            go_on()

    with psycopg.connect(blank_dsn) as connection:
        engine = Engine(connection)
        assert engine.rows("select distinct status from pgflow.runs") == [{"status": "completed"}]
        for flow, (_, expected) in CASES.items():
            outputs = engine.rows("select distinct output from pgflow.runs where flow_slug = %s", flow.slug)
            assert outputs == [{"output": expected}]
        assert engine.value("select max(attempts_count) from pgflow.step_tasks") == 1
        assert engine.rows("select * from pgflow.check_invariants()") == []

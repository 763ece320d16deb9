"""The guide to upgrading: what it says of versions that meet is tried, with a revision of the future."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.schema.locking import HOLD_TABLES
from tests.docs import shell
from tests.docs.pages import Command, Page
from tests.migrations.test_check import NEEDS_THE_FUTURE
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout
from tests.plugins.waiting import DEADLINE, meanwhile, until

PAGE = Page("guides/upgrading.md")

SHOP = """
from pgflow import Flow

flow = Flow("ship-order", input=int)

@flow.step
def pack(run: int) -> int:
    return run
"""


def command(beginning: str) -> Command:
    (found,) = (each for each in PAGE.transcript() if beginning in each.line)
    return found


def test_what_runs_goes_on_and_what_starts_is_refused(dsn: str, database: Connection, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    flow: Flow[int] = Flow("ship-order", input=int)
    flow.step("pack")(lambda run: run)
    with Worker(flow, dsn), FlowClient(dsn) as client:
        client.register(flow)
        database.execute("update pgflow.alembic_version set version_num = '9999_future'")
        assert shell.run("pgflow migrate --status", tmp_path, PGFLOW_DSN=dsn).returncode == 0
        assert finding(shell.run("pgflow check --quick --json", tmp_path, PGFLOW_DSN=dsn).stdout) == "notice"
        assert client.start(flow, 3).result(DEADLINE) == {"pack": 3}

        database.execute(NEEDS_THE_FUTURE.encode())
        refused = command("pgflow worker")
        done = shell.run(refused.line, tmp_path, PGFLOW_DSN=dsn)
        assert done.returncode == 1
        assert refused.matches(done.stdout), done.stdout


def finding(said: str) -> str:
    """How what `pgflow check --json` found about the schema matters."""
    (level,) = (found["level"] for found in map(json.loads, said.splitlines()) if found["subject"] == "schema")
    return str(level)


def test_a_migration_waits_and_lets_others_go_on(blank_dsn: str, tmp_path: Path) -> None:
    migrations.upgrade(blank_dsn, "0002_events")
    waiting = "select from pg_stat_activity where query like '%pgflow_hold%' and pid <> pg_backend_pid()"
    with psycopg.connect(blank_dsn) as busy, psycopg.connect(blank_dsn, autocommit=True) as other:
        busy.execute("select from pgflow.steps")
        with meanwhile(lambda: shell.run("pgflow migrate", tmp_path, PGFLOW_DSN=blank_dsn)) as migrated:
            until(lambda: other.execute(waiting).rowcount, "a migration that waits", timeout=3 * DEADLINE)
            other.execute("select from pgflow.steps")
            busy.rollback()
            assert migrated.result(3 * DEADLINE).returncode == 0
    (block,) = PAGE.blocks("text")
    found = re.fullmatch(r"Error: (.*) \((.*)\)\n", block.text)
    assert found is not None
    assert all(words in HOLD_TABLES for words in found.groups())


def test_the_way_back_is_one_where_nothing_is_lost(dsn: str, database: Connection, tmp_path: Path) -> None:
    Engine(database).define({"a": [], "b": fanout("a")})
    back = command("--downgrade")
    assert back.matches(shell.run(back.line, tmp_path, PGFLOW_DSN=dsn).stdout)

    refused = shell.run("pgflow migrate --downgrade 0002_events", tmp_path, PGFLOW_DSN=dsn)
    assert refused.returncode == 1
    assert "fan-out" in refused.stdout
    assert migrations.current(database) == "0004_workers"
    migrations.upgrade(dsn)


def test_a_part_of_the_story_is_a_script(tmp_path: Path) -> None:
    done = shell.run("pgflow migrate --sql --revision 0003_fanout:0004_workers", tmp_path)

    assert done.returncode == 0
    assert "get_workers" in done.stdout


def test_a_flow_of_another_shape_is_refused_and_gets_another_slug(
    dsn: str,
    database: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(PAGE.program(), PAGE.path, "exec", dont_inherit=True), names)
    printed = re.findall(r"print\(.*\)  # (.*)", PAGE.text)
    assert capsys.readouterr().out.splitlines() == printed

    (block,) = PAGE.blocks("sql")
    engine = Engine(database)
    assert engine.rows(block.text) == []
    run = engine.start(7, flow="ship-order")
    assert [row["run_id"] for row in engine.rows(block.text)] == [run]

    found = re.search(r"`(select pgflow\.delete_flow\(.*?\))`", PAGE.text)
    assert found is not None
    engine.do(found[1])
    assert engine.value("select array_agg(flow_slug) from pgflow.runs") == ["ship-order-2"]


def test_every_command_line_is_understood() -> None:
    for line in [*PAGE.commands(), *re.findall(r"`(pgflow [a-z]+ [^`]+)`", PAGE.text)]:
        shell.parse(line)

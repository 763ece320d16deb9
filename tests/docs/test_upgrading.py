"""The guide to upgrading: what it says of versions that meet is tried, with a revision of the future."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgflow import Flow, FlowClient, Worker, migrations
from tests.docs import shell
from tests.docs.pages import Command, Page
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout
from tests.plugins.waiting import DEADLINE

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
        assert client.start(flow, 3).result(DEADLINE) == {"pack": 3}

        refused = command("pgflow worker")
        done = shell.run(refused.line, tmp_path, PGFLOW_DSN=dsn)
        assert done.returncode == 1
        assert refused.matches(done.stdout), done.stdout


def test_a_migration_that_gets_no_lock_has_not_happened(blank_dsn: str, tmp_path: Path) -> None:
    migrate = command("lock_timeout")
    migrations.upgrade(blank_dsn, "0002_events")
    with psycopg.connect(blank_dsn) as busy:
        busy.execute("select from pgflow.steps")
        done = shell.run(migrate.line, tmp_path, PGFLOW_DSN=blank_dsn)
        assert done.returncode == 1
        assert migrate.matches(done.stdout), done.stdout
        assert migrations.current(busy) == "0002_events"

    assert shell.run(migrate.line, tmp_path, PGFLOW_DSN=blank_dsn).returncode == 0
    assert shell.run("pgflow migrate --status", tmp_path, PGFLOW_DSN=blank_dsn).returncode == 0


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
        shell.parse(re.sub(r"^PGOPTIONS='.*?' ", "", line).replace("dev --replace", "dev shop --replace"))

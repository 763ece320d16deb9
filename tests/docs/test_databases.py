"""The guides to what lives in a database beside pgflow, followed word for word."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import psycopg.conninfo
import pytest

from pgflow import Flow, FlowClient, migrations
from pgflow.embedded import EmbeddedServer
from pgflow.embedded.programs import find_programs
from pgflow.embedded.server import DEFAULT_VERSION
from tests.docs.pages import Page
from tests.docs.reading import Reader

OURS = {"pgflow", "pgmq", "realtime"}


@pytest.fixture
def administrator(own_server: EmbeddedServer) -> Iterator[Callable[[str, str], psycopg.Cursor[tuple[str, ...]]]]:
    """Runs SQL as the superuser of a server with a database `shop`."""
    connections: dict[str, psycopg.Connection[tuple[str, ...]]] = {}

    def execute(text: str, database: str = "shop") -> psycopg.Cursor[tuple[str, ...]]:
        if database not in connections:
            connections[database] = psycopg.connect(own_server.dsn(database), autocommit=True)
        return connections[database].execute(text.encode())

    execute("create database shop", "postgres")
    yield execute
    for connection in connections.values():
        connection.close()


def schemas(execute: Callable[..., psycopg.Cursor[tuple[str, ...]]]) -> set[str]:
    return {name for (name,) in execute("select nspname from pg_namespace where nspname !~ '^pg_'")}


def test_an_existing_database(
    folder: Path, own_server: EmbeddedServer, administrator: Callable[..., psycopg.Cursor[tuple[str, ...]]]
) -> None:
    page = Page("guides/existing-database.md")
    flow: Flow[list[int]] = Flow("ship-orders", input=list[int])

    @flow.step
    def orders(run: list[int]) -> list[int]:
        return run

    @flow.step(depends_on=[orders], fanout=True)
    def ship(order: int) -> int:
        return order

    administrator("create table orders (id int)")
    before = schemas(administrator)

    def execute(text: str) -> None:
        if "delete_flow" in text:
            with FlowClient(own_server.dsn("shop")) as client:
                client.register(flow)
                client.start(flow, [1])
            assert schemas(administrator) == before | OURS
            assert administrator("select evtname from pg_event_trigger").fetchall() == []
        elif text.startswith("drop role"):
            administrator("drop database shop_copy", "postgres")
            administrator("drop owned by shop_owner")
        administrator(text)

    where = psycopg.conninfo.conninfo_to_dict(own_server.dsn())
    reader = Reader(
        folder,
        instead={"@host/": "@/"},
        environment={"PGHOST": str(where["host"]), "PGPORT": str(where["port"]), "PGUSER": "postgres"},
        programs=own_server.programs or find_programs(own_server.version or DEFAULT_VERSION),
        sql=execute,
    )
    reader.follow(page)

    assert schemas(administrator) == before
    assert administrator("select from orders").rowcount == 0
    assert administrator("select from pg_roles where rolname like 'pgflow%'").rowcount == 0


def test_alembic(folder: Path, blank_dsn: str, blank_url: str) -> None:
    page = Page("guides/alembic.md")
    alembic(folder, blank_url, "init", "migrations")
    reader = Reader(folder, instead={"postgresql+psycopg://…": f"'{blank_url}'"})
    reader.follow(page)

    with psycopg.connect(blank_dsn) as connection:
        assert migrations.current(connection) == migrations.head()
        assert connection.execute("select flow_slug from pgflow.flows").fetchall() == [("ship-order",)]

    alembic(folder, blank_url, "downgrade", "base")
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        assert migrations.current(connection) is None
        connection.execute("drop table alembic_version")
        # The scripts make what the revisions made.
        for script in ("pgflow.sql", "shop.sql"):
            connection.execute((folder / script).read_bytes())
        migrations.check(connection)
        assert connection.execute("select flow_slug from pgflow.flows").fetchall() == [("ship-order",)]


def test_alembic_after_an_upgrade_of_the_package(folder: Path, blank_dsn: str, blank_url: str) -> None:
    page = Page("guides/alembic.md")
    alembic(folder, blank_url, "init", "migrations")
    page.write_files(folder)

    alembic(folder, blank_url, "upgrade", "head")
    with psycopg.connect(blank_dsn) as connection:
        assert migrations.current(connection) == migrations.head()
    alembic(folder, blank_url, "downgrade", "0001")
    with psycopg.connect(blank_dsn) as connection:
        assert migrations.current(connection) == "0004_workers"
    alembic(folder, blank_url, "upgrade", "head")
    with psycopg.connect(blank_dsn) as connection:
        assert migrations.current(connection) == migrations.head()


def test_autogenerate_would_drop_what_the_guide_leaves_out(folder: Path, blank_url: str) -> None:
    page = Page("guides/alembic.md")
    alembic(folder, blank_url, "init", "migrations")
    page.write_files(folder)
    environment = folder / "migrations" / "env.py"
    environment.write_text(environment.read_text().replace(', "include_name": include_name', ""))

    alembic(folder, blank_url, "upgrade", "head")
    assert "'remove_table', Table('step_states'" in alembic(folder, blank_url, "check", status=255)


def alembic(folder: Path, url: str, *arguments: str, status: int = 0) -> str:
    """Run a command in the project of a folder, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=folder,
        env={**os.environ, "SHOP_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr

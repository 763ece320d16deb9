"""The guide to Supabase, on a database with its roles and a realtime.send that keeps what it is given."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pgflow import Flow, FlowClient, Worker, migrations
from tests.docs import shell
from tests.docs.pages import Page
from tests.plugins.roles import Roles
from tests.plugins.waiting import DEADLINE

PAGE = Page("guides/supabase.md")

ITS_OWN = """
create role anon;
create role authenticated;
create schema realtime;
create table realtime.messages (n serial, topic text, event text, payload jsonb, private boolean);
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language sql as 'insert into realtime.messages (payload, event, topic, private) values ($1, $2, $3, $4)';
"""

flow: Flow[dict[str, int]] = Flow("ship-order", input=dict[str, int], max_attempts=1)


@flow.step
def pack(run: dict[str, int]) -> int:
    assert run["order_id"] > 0
    return run["order_id"]


@pytest.fixture
def project(blank_dsn: str) -> Iterator[Roles]:
    """A project where pgflow was installed."""
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        roles = Roles(blank_dsn, connection)
        connection.execute(roles.own(ITS_OWN, "anon", "authenticated").encode())
        migrations.upgrade(blank_dsn)
        yield roles
        connection.execute("drop function if exists public.ship_order")
        roles.drop()


def statements() -> tuple[str, str]:
    exposed, browsers = (block.text for block in PAGE.blocks("sql"))
    return exposed, browsers


def test_nothing_is_exposed_and_what_would_be_is_found(project: Roles) -> None:
    asking = project.own(statements()[0], "anon", "authenticated").encode()
    assert project.connection.execute(asking).fetchall() == []

    project.connection.execute(f"grant pgflow_client to {project.names['anon']}".encode())
    assert (project.names["anon"], "pgflow", "start_flow") in project.connection.execute(asking).fetchall()
    project.connection.execute(f"revoke pgflow_client from {project.names['anon']}".encode())
    project.connection.execute(
        project.own("grant usage on schema pgmq to anon; grant select on pgmq.meta to anon", "anon").encode()
    )
    assert project.connection.execute(asking).fetchall() == [(project.names["anon"], "pgmq", "meta")]


def test_a_browser_starts_one_flow_and_hears_what_the_page_says(project: Roles) -> None:
    connection = project.connection
    connection.execute(project.own(statements()[1], "authenticated").encode())
    with FlowClient(project.dsn) as client, Worker(flow, project.dsn):
        connection.execute(f"set role {project.names['authenticated']}".encode())
        runs = [connection.execute("select public.ship_order(%s)", [order]).fetchone() for order in (7, -7)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select pgflow.start_flow('ship-order', '{}')")
        connection.execute(f"set role {project.names['anon']}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select public.ship_order(7)")
        connection.execute("reset role")
        ids = [run[0] for run in runs if run]
        assert [client.get_run(run_id).wait(DEADLINE).status for run_id in ids] == ["completed", "failed"]

    table = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE.text, flags=re.MULTILINE))
    said = {event: re.findall(r"`(\w+)`", keys) for event, keys in table.items() if ":" in event}
    heard: dict[str, Any] = {}
    for topic, event, payload, private in connection.execute(
        "select topic, event, payload, private from realtime.messages"
    ):
        assert topic in {f"pgflow:run:{run_id}" for run_id in ids}
        assert not private
        heard[event.replace("pack:", "<step>:")] = list(payload)
    assert {event: sorted(keys) for event, keys in heard.items()} == {
        event: sorted(keys) for event, keys in said.items()
    }


def test_the_javascript_listens_for_what_is_sent(tmp_path: Path) -> None:
    (block,) = PAGE.blocks("js")
    assert "const topic = `pgflow:run:${started.data}`" in block.text
    events = set(re.findall(r'event: "([^"]+)"', block.text))
    assert events == {"run:completed", "run:failed", "pack:completed"}
    if node := shutil.which("node"):
        (tmp_path / "page.mjs").write_text(block.text)
        assert shell.run(f"{node} --check page.mjs", tmp_path).returncode == 0


def test_the_command_lines_are_pgflows_and_the_dsn_is_libpqs() -> None:
    export, *others = PAGE.commands()
    found = re.fullmatch(r"export PGFLOW_DSN='(.*)'", export)
    assert found is not None
    assert conninfo_to_dict(found[1])["user"] == "postgres.PROJECT"
    for line in others:
        shell.parse(line)

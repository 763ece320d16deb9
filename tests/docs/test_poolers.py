"""The guide to poolers and managed databases: its PgBouncer runs, its statements too, and its numbers are counted."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow import Context, Flow, FlowClient, Worker, migrations
from tests.docs import shell
from tests.docs.pages import Page
from tests.plugins.databases import Connection
from tests.plugins.pooler import PgbouncerStarter
from tests.plugins.roles import Roles
from tests.plugins.waiting import DEADLINE, until

PAGE = Page("guides/poolers.md")

SHOP = """
from pgflow import Flow

flow = Flow("ship-order", input=int)

@flow.step
def ship(run: int) -> str:
    return f"order {run} by bicycle"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader's module is."""
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def pgbouncer(dsn: str, run_pgbouncer: PgbouncerStarter, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The page's PgBouncer before the test's database: the way to each of its names."""
    (block,) = PAGE.blocks("ini")
    given = conninfo_to_dict(dsn)
    server = " ".join(f"{key}={given[key]}" for key in ("host", "port", "password", "dbname") if given.get(key))
    settings = ConfigParser()
    settings.read_string(block.text.replace("host=db.internal port=5432 dbname=shop", server))
    with tempfile.NamedTemporaryFile("w", prefix="pgflow-test-") as users:
        users.write(f'"{given["user"]}" "a password"\n')
        users.flush()
        Path(users.name).chmod(0o644)
        settings["pgbouncer"]["auth_file"] = users.name
        # What the PgBouncer asks for is taken from where the guide to deployment puts it.
        monkeypatch.setenv("PGPASSWORD", "a password")
        folder = run_pgbouncer(settings)
        port = settings["pgbouncer"]["listen_port"]
        yield {
            name: make_conninfo(host=str(folder), port=port, user=given["user"], dbname=name)
            for name in settings["databases"]
        }


def test_the_pgbouncer_of_the_page_is_found_to_deliver_nothing(pgbouncer: dict[str, str], folder: Path) -> None:
    check = PAGE.transcript()[0]
    environment = {"PGFLOW_DSN": pgbouncer["shop"]}

    assert check.matches(shell.run(check.line, folder, **environment).stdout)
    assert (
        "what is notified arrives"
        in shell.run("pgflow check --quick", folder, PGFLOW_DSN=pgbouncer["shop_listen"]).stdout
    )


def test_by_its_second_name_the_program_is_told(pgbouncer: dict[str, str], folder: Path) -> None:
    (folder / "main.py").write_text(PAGE.program())
    done = shell.run("python main.py", folder, PGFLOW_DSN=pgbouncer["shop"], PGFLOW_LISTEN_DSN=pgbouncer["shop_listen"])

    assert done.stdout == "{'ship': 'order 7 by bicycle'}\n"


def test_the_command_lines_are_those_of_pgflow_and_name_what_pgbouncer_serves() -> None:
    (block,) = PAGE.blocks("ini")
    settings = ConfigParser()
    settings.read_string(block.text)
    exported = dict(re.findall(r"^\$ export (\w+)=(\S+)$", PAGE.text, flags=re.MULTILINE))
    assert {name: conninfo_to_dict(dsn)["dbname"] for name, dsn in exported.items()} == dict(
        zip(("PGFLOW_DSN", "PGFLOW_LISTEN_DSN"), settings["databases"], strict=True)
    )
    for line in PAGE.commands():
        if line.startswith("pgflow"):
            shell.parse(line)


def test_the_parameters_of_tls_are_those_of_libpq() -> None:
    (block,) = PAGE.blocks("sh")
    found = re.search(r"PGFLOW_DSN='(.*)'", block.text)
    assert found is not None
    assert conninfo_to_dict(found[1]).keys() >= {"sslmode", "sslrootcert"}


@pytest.fixture
def blank(blank_dsn: str) -> Iterator[Roles]:
    """A database with nothing in it, and roles for it."""
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        roles = Roles(blank_dsn, connection)
        yield roles
        roles.drop()


def test_those_who_are_no_superusers_migrate_define_start_and_work(blank: Roles, folder: Path) -> None:
    if shutil.which("psql") is None:
        pytest.skip("there is no psql here")
    deploying, granting, *_ = (block.text for block in PAGE.blocks("sql"))
    blank.connection.execute(blank.own(deploying, "deployer").encode())
    deployer = {"PGFLOW_DSN": blank.dsn_of("deployer")}
    migrated = shell.run("pgflow migrate", folder, **deployer)
    assert migrated.returncode == 0, migrated.stdout

    blank.connection.execute(b"revoke usage on schema pgflow from pgflow_client, pgflow_worker")
    (grants,) = (line for line in PAGE.commands() if line.startswith("for file"))
    granted = shell.run(grants, folder, **deployer)
    assert granted.returncode == 0, granted.stdout

    blank.connection.execute(blank.own(granting, "web", "jobs").encode())
    found = re.search(r"`(pgflow compile shop \| psql .*?)`", PAGE.text)
    assert found is not None
    defined = shell.run(found[1], folder, **deployer)
    assert defined.returncode == 0, defined.stdout
    flow: Flow[int] = Flow("ship-order", input=int)
    flow.step("ship")(lambda run: run)
    with Worker(flow, blank.dsn_of("jobs")), FlowClient(blank.dsn_of("web")) as client:
        assert client.start(flow, 3).result(DEADLINE) == {"ship": 3}


def test_a_pgmq_that_was_brought_by_hand_is_used(blank: Roles, folder: Path) -> None:
    if shutil.which("psql") is None:
        pytest.skip("there is no psql here")
    bring, migrate = PAGE.commands()[-2:]
    for line in (bring, migrate):
        done = shell.run(line, folder, PGFLOW_DSN=blank.dsn)
        assert done.returncode == 0, done.stdout
    migrations.downgrade(blank.dsn, "base")

    assert blank.connection.execute("select to_regclass('pgmq.meta') is not null").fetchone() == (True,)


def test_the_connections_are_as_many_as_the_page_says(dsn: str, database: Connection) -> None:
    encrypted, counting = (block.text.encode() for block in PAGE.blocks("sql") if "pg_stat_activity" in block.text)
    flow: Flow[None] = Flow("counted", base_delay=0)
    release = threading.Event()

    @flow.step
    def items(run: None) -> list[int]:
        return [1, 2, 3]

    @flow.step(depends_on=[items], fanout=True)
    def hold(item: int, ctx: Context) -> None:
        ctx.connection.execute("select 1")
        assert ctx.run_input is None
        release.wait(3 * DEADLINE)

    def count() -> dict[str, int]:
        return {name: number for name, number, _ in database.execute(counting).fetchall()}

    named = make_conninfo(dsn, application_name="pgflow of the client")
    try:
        with Worker(flow, dsn, lease=0.6), FlowClient(named, pool_size=3) as client:
            runs = client.start_many(flow, [None, None])
            # The client's are named by its DSN, and it has no listener while nobody waits. What looked at the schema
            # is gone a moment after it was closed.
            parts = dict.fromkeys((f"pgflow {name}" for name in ("claims", "reports", "leases", "listener")), 1)
            parts |= {"pgflow handler": 6, "pgflow of the client": 1}
            until(lambda: {name: n for name, n in count().items() if name != "pgflow"} == parts, "all, and no more")
            assert count()["pgflow"] in (1, 2)
            until(lambda: {name for name, *_ in database.execute(encrypted)} == {*parts, "pgflow"}, "the same names")
            release.set()
            for run in runs:
                run.wait(DEADLINE)
    finally:
        release.set()


def test_a_client_outlives_a_database_that_has_slept(dsn: str, database: Connection) -> None:
    database.execute("select pgflow.create_flow('slept')")
    with FlowClient(make_conninfo(dsn, application_name="sleeper")) as client:
        client.start("slept")
        sessions = "select pid from pg_stat_activity where application_name = 'sleeper'"
        until(lambda: database.execute(sessions.encode()).rowcount == 1, "one session, as nothing is asked")
        database.execute(f"select pg_terminate_backend(pid, 10000) from ({sessions}) s".encode())

        client.start("slept")

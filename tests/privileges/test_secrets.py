"""The password of a DSN reaches nothing that anybody reads: no message, log, repr, output, or row of the server's."""

from __future__ import annotations

import logging
import os
import pickle
import re
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy.engine import make_url

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.cli import main
from pgflow.connector import PsycopgConnector
from pgflow.dsn import redacted, resolve
from pgflow.errors import DsnError
from tests.plugins.engine import NOBODY, Engine
from tests.plugins.waiting import DEADLINE, until

TOKEN = "geh3im"
#: The token beside what has to be encoded in a URL or quoted in a text; no part of it is told either.
AWKWARD = f"{TOKEN}@/: '%\\é?#&{TOKEN}"
ENCODED = "geh3im%40%2F%3A%20%27%25%5C%C3%A9%3F%23%26geh3im"

#: Ways to name the same password, to a server that is not there.
DSNS = {
    "URL": f"postgresql://me:{TOKEN}@127.0.0.1:1/none",
    "encoded URL": f"postgresql://me:{ENCODED}@127.0.0.1:1/none",
    "in the query": f"postgresql://127.0.0.1:1/none?user=me&password={ENCODED}&sslpassword={TOKEN}",
    "keywords": make_conninfo(host="127.0.0.1", port="1", dbname="none", user="me", password=AWKWARD),
    "several hosts": f"postgresql://me:{TOKEN}@127.0.0.1:1,127.0.0.1:2/none",
    "SQLAlchemy": f"postgresql+psycopg://me:{ENCODED}@127.0.0.1:1/none",
    "no such host": f"postgresql://me:{TOKEN}@no-such-host.invalid/none",
    "a socket": make_conninfo(host="/nonexistent", user="me", password=AWKWARD),
}

#: What somebody writes who has not encoded the password, or mistyped it: refused, since libpq would read it otherwise.
MISREAD = [
    f"postgresql://me:x@{TOKEN}@h/d",
    f"postgresql://me:{TOKEN}/x@h/d",
    f"postgresql://me:1/{TOKEN}@h/d",
    f"postgresql://me:1/x@{TOKEN}@h:5432/d",
    f"postgresql+psycopg://me:x@{TOKEN}@h/d",
    f"postgresql://me:x%{TOKEN}@h/d",
    f"postgresql://me:{TOKEN}%zz@h/d",
    f"postgresql://me:{TOKEN}@h:port/d",
    f"postgresql://me:{TOKEN}@[::1/d",
    f"host=h password=x {TOKEN}",
    f"host=h password='{TOKEN}",
    f"mysql://me:{TOKEN}@h/d",
    f"me:{TOKEN}@h/d",
    f"postgresql//me:{TOKEN}@h/d",
]

COMMANDS = [
    ["check"], ["check", "--json"], ["flows"], ["runs"], ["workers"], ["top"], ["start", "flow"], ["migrate"],
    ["show", str(NOBODY)], ["watch", str(NOBODY)],
]  # fmt: skip


def everything_about(error: BaseException) -> str:
    """All that anybody prints of an error, its causes and contexts included."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error.args)


def assert_hidden(*texts: object) -> None:
    for text in texts:
        assert TOKEN not in str(text)
        # Nor its beginning, as libpq would have cut it out.
        assert "@/: '" not in str(text)


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Everything that any library logs, searched in the end."""
    caplog.set_level(logging.DEBUG)
    yield
    assert_hidden(caplog.text, *(record.__dict__ for record in caplog.records))


@pytest.mark.parametrize("name", DSNS)
def test_a_server_out_of_reach_is_told_without_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    dsn = DSNS[name]
    flow: Flow[Any] = Flow("flow")
    flow.step("a")(lambda: None)
    connector, worker = PsycopgConnector(dsn, listen_dsn=dsn), Worker(flow, dsn)
    client = FlowClient(connector=connector)
    assert_hidden(connector, repr(client), repr(worker), str(vars(client)), redacted(resolve(dsn)))
    attempts: list[Callable[[], object]] = [
        lambda: client.start("flow"),
        lambda: client.get_run(uuid4()),
        lambda: connector.listen_on_queues(["flow"], lambda: None),
        worker.start,
        lambda: migrations.upgrade(dsn),
        lambda: migrations.downgrade(dsn, "base"),
    ]
    for attempt in attempts:
        with pytest.raises(Exception) as failure:  # noqa: PT011  whatever kind of error it is
            attempt()
        assert_hidden(everything_about(failure.value))
    connector.close()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("way", ["--dsn", "PGFLOW_DSN"])
def test_a_command_that_reaches_no_server_says_so_without_it(command: list[str], way: str) -> None:
    for name in ("URL", "keywords"):
        given = ["--dsn", DSNS[name]] if way == "--dsn" else []
        result = CliRunner(env={"PGFLOW_DSN": DSNS[name]}).invoke(main, [*command, *given])
        assert result.exit_code != 0
        assert result.output.count("\n") <= 2, "a line, and not a traceback"
        assert_hidden(result.output, *(result.exc_info or ()))


@pytest.mark.parametrize("dsn", MISREAD)
def test_what_libpq_would_misread_is_refused_without_it(dsn: str) -> None:
    for attempt in (lambda: resolve(dsn), lambda: FlowClient(dsn), lambda: migrations.upgrade(dsn)):
        with pytest.raises(DsnError) as refusal:
            attempt()
        assert_hidden(everything_about(refusal.value))
        assert refusal.value.__cause__ is None
    result = CliRunner().invoke(main, ["check", "--dsn", dsn])
    assert result.exit_code != 0
    assert_hidden(result.output)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql:///d?host=@abstract",
        "postgresql://%40abstract/d",
        "postgresql://h1:1,h2:2/d?target_session_attrs=any",
        "postgresql://[::1]:5432/d",
        "postgresql://me%40tenant:p%40ss@h/d%40b",
        "postgresql://h/d?user=me@tenant",
        "postgresql://",
        "host=h user=me@tenant password=p@ss/word dbname=d@b",
        make_url("postgresql+psycopg://me:p%40ss@h/d").render_as_string(hide_password=False),
    ],
)
def test_what_libpq_reads_as_it_was_meant_is_taken(dsn: str) -> None:
    assert resolve(dsn)


@pytest.fixture
def login(dsn: str) -> Iterator[dict[str, Any]]:
    """The keywords of a login of this test's own that has the password, on a migrated database."""
    name = f"login_{uuid4().hex[:8]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create role {} login in role pgflow_migrator password {}").format(
                sql.Identifier(name), sql.Literal(AWKWARD)
            )
        )
        connection.execute(sql.SQL("grant pg_read_all_stats, pg_read_all_data to {}").format(sql.Identifier(name)))
        yield {**conninfo_to_dict(dsn), "user": name, "password": AWKWARD}
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def test_a_server_never_shows_it_and_no_process_is_named_by_it(
    login: dict[str, Any], committed: Engine, tmp_path: Path
) -> None:
    (tmp_path / "quiet.py").write_text(
        "from pgflow import Flow\n\nflow = Flow('quiet', max_attempts=1)\n\n\n@flow.step\ndef fail(run):\n"
        "    raise ValueError(run)\n"
    )
    dsn = make_conninfo(**login)
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "pgflow", "worker", "quiet", "--processes", "--log-level", "debug"],
            cwd=tmp_path, env={**os.environ, "PGFLOW_DSN": dsn}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        until(
            lambda: committed.rows("select from pgflow.workers") or worker.poll() is not None,
            "a worker",
            timeout=6 * DEADLINE,
        )
        assert worker.poll() is None, log.read_text()
        with FlowClient(dsn) as client:
            run = client.start("quiet", "boom").wait(6 * DEADLINE)
            assert run.status == "failed"
            assert_hidden(run.error_message, repr(run), repr(client))
            sessions = committed.rows("select * from pg_stat_activity")
            assert any(row["usename"] == login["user"] for row in sessions)
            assert_hidden(*sessions)
        for table in ("workers", "runs", "step_tasks"):
            assert_hidden(*committed.rows(f"select * from pgflow.{table}"))
        titles = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert any(b"pgflow" in title for title in titles)
        assert not [title for title in titles if TOKEN.encode() in title]
    finally:
        worker.terminate()
        worker.wait(6 * DEADLINE)
    assert "boom" in log.read_text()
    assert_hidden(log.read_text())
    for command in (["check"], ["check", "--json"], ["workers"], ["runs"], ["show", str(run.run_id), "--full"]):
        result = CliRunner().invoke(main, [*command, "--dsn", dsn])
        assert result.exit_code == 0, result.output
        assert_hidden(result.output)


def test_a_wrong_password_is_told_without_it() -> None:
    # A server that wants a password and refuses every one, in the few words of the protocol that this takes.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        dsn = make_conninfo(host="127.0.0.1", port=port, dbname="d", user="me", password=AWKWARD, sslmode="disable")
        refuse = subprocess.Popen(
            [sys.executable, "-c", REFUSING, str(listening.fileno())], pass_fds=[listening.fileno()]
        )
        try:
            for attempt in (lambda: FlowClient(dsn).start("flow"), lambda: migrations.upgrade(dsn)):
                with pytest.raises(Exception, match="password authentication failed") as failure:
                    attempt()
                assert_hidden(everything_about(failure.value))
            result = CliRunner().invoke(main, ["check", "--dsn", dsn])
            assert "password authentication failed" in result.output
            assert_hidden(result.output)
        finally:
            refuse.kill()
            refuse.wait()


REFUSING = r"""
import socket, struct, sys
listening = socket.socket(fileno=int(sys.argv[1]))
while True:
    session, _ = listening.accept()
    session.recv(4096)
    session.sendall(b"R" + struct.pack(">ii", 8, 3))
    session.recv(4096)
    said = b"SFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0"
    session.sendall(b"E" + struct.pack(">i", len(said) + 4) + said)
    session.close()
"""


def test_only_what_carries_a_connector_to_another_process_has_it() -> None:
    connector = PsycopgConnector(DSNS["URL"])
    assert TOKEN in repr(pickle.dumps(connector)), "a process of the worker's has to connect"
    shown = re.sub(r"\s", "", repr(pickle.loads(pickle.dumps(connector))))
    assert_hidden(shown)
    connector.close()

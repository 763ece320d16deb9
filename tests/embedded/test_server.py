"""The embedded server: started, shared, adopted, stopped; as whoever runs the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pgflow.embedded import EmbeddedServer, server_dsn, stop_servers
from pgflow.errors import PgflowError

HOLDER = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is born deaf to it
from pgflow.embedded import EmbeddedServer
with EmbeddedServer(sys.argv[1]) as server:
    print(server.dsn(), flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a server. Not pytest's: each run of root's closes those to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="pgflow-test-") as name:
        yield Path(name)


def answers(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def hold(path: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that holds the server of a path, and the DSN it printed."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    process.communicate(timeout=60)
    return process.returncode


def test_it_answers_while_it_is_held_and_not_afterwards(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        dsn = server.dsn()
        assert answers(dsn)
    assert not answers(dsn)
    with pytest.raises(PgflowError, match=r"call start\(\) first"):
        server.dsn()


def test_what_was_written_is_there_at_the_next_start(folder: Path) -> None:
    for statement in ("create table t ()", "select * from t"):
        with EmbeddedServer(folder) as server, psycopg.connect(server.dsn()) as connection:
            connection.execute(statement)


def test_starting_and_stopping_twice_is_fine(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.stop()
    assert server.start() is server.start()
    server.stop()
    server.stop()
    assert not answers(f"host={server.data} user=postgres dbname=postgres")


def test_the_last_of_two_processes_stops_it(folder: Path) -> None:
    other, dsn = hold(folder)
    with EmbeddedServer(folder) as server:
        assert server.dsn() == dsn
        end(other, signal.SIGTERM)
        assert answers(dsn)
    assert not answers(dsn)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_to_the_holder_leaves_nothing_running(folder: Path, number: signal.Signals, status: int) -> None:
    process, dsn = hold(folder)
    assert answers(dsn)
    assert end(process, number) == status
    assert not answers(dsn)


def test_a_server_whose_holder_was_killed_is_adopted(folder: Path) -> None:
    process, dsn = hold(folder)
    end(process, signal.SIGKILL)
    assert answers(dsn), "nothing could stop it"
    with EmbeddedServer(folder) as server:
        assert server.dsn() == dsn
    assert not answers(dsn)


def test_a_server_left_behind_can_be_stopped_by_its_path(folder: Path) -> None:
    process, dsn = hold(folder)
    end(process, signal.SIGKILL)
    stop_servers(folder)
    assert not answers(dsn)


def test_a_stale_process_id_that_belongs_to_another_program_does_not_mislead(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        lines = (server.data / "postmaster.pid").read_text().splitlines()
    (server.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with server:
        assert answers(server.dsn())


def test_an_interrupted_first_start_is_made_good(folder: Path) -> None:
    server = EmbeddedServer(folder)
    (server.data / "base").mkdir(parents=True)
    (server.data / "half").write_text("written")
    with server:
        assert answers(server.dsn())


def test_a_path_too_long_for_a_socket_works(folder: Path) -> None:
    deep = folder / ("long-" * 12) / ("longer-" * 10)
    with EmbeddedServer(deep) as server:
        assert answers(server.dsn())
        sockets = Path(str(conninfo_to_dict(server.dsn())["host"]))
        assert sockets != server.data
    assert not sockets.exists()


def test_settings_are_the_servers(folder: Path) -> None:
    odd = 'it\'s "quoted" $HOME'
    server = EmbeddedServer(folder, settings={"application_name": odd})
    with server, psycopg.connect(server.dsn()) as connection:
        assert connection.execute("show application_name").fetchone() == (odd,)


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    with pytest.raises(PgflowError, match="max_connections"):
        EmbeddedServer(folder, settings={"max_connections": "none"}).start()


def test_an_unknown_version_is_refused(folder: Path) -> None:
    with pytest.raises(PgflowError, match="no embedded PostgreSQL 9: it comes in 16, 18"):
        EmbeddedServer(folder, 9).start()


def test_the_environment_of_libpq_does_not_mislead_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGUSER": "nobody"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedServer(folder) as server:
        assert answers(server.dsn())


def test_a_given_dsn_replaces_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DSN", "host=elsewhere")
    with server_dsn(folder) as dsn:
        assert dsn == "host=elsewhere"
    assert list(folder.iterdir()) == []


def test_without_one_it_is_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)
    with server_dsn(folder) as dsn:
        assert answers(dsn)
    assert not answers(dsn)

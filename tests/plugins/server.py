"""The PostgreSQL of a test run: started once, in the process that controls the run, and handed on by environment.

``PGFLOW_TEST_DSN`` names another server, where databases may be created. ``PGFLOW_TEST_POSTGRES`` chooses what is
started otherwise: ``18`` (the default) and ``16`` are embedded, ``debian`` is the newest under /usr/lib/postgresql.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from attrs import frozen
from psycopg.conninfo import conninfo_to_dict

from pgflow.embedded import EmbeddedServer
from pgflow.embedded.programs import find_programs
from pgflow.embedded.server import DEFAULT_VERSION

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    # What plpgsql can say against a body beyond its syntax is an error here.
    "plpgsql.extra_errors": "all",
}

_running = pytest.StashKey[tuple[EmbeddedServer, tempfile.TemporaryDirectory[str]]]()

# Databases of this run have names of their own: runs may share a server.
os.environ.setdefault("PGFLOW_TEST_RUN", uuid4().hex[:8])


@frozen
class Server:
    """Where the server is, in the words of pytest-postgresql."""

    host: str
    port: str
    user: str
    password: str | None
    maintenance_dbname: str
    options: str = ""
    template_dbname: None = None


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    given = os.environ.get("PGFLOW_TEST_DSN")
    if given:
        try:
            psycopg.connect(given).close()
        except psycopg.Error as error:
            pytest.exit(f"PGFLOW_TEST_DSN names no server that answers: {error}", returncode=4)
        return
    # The run ends as with Ctrl-C: the server does not outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = tempfile.TemporaryDirectory(prefix="pgflow-test-")
    server = make_server(Path(folder.name)).start()
    config.stash[_running] = server, folder
    os.environ["PGFLOW_TEST_DSN"] = server.dsn()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _running in config.stash:
        server, folder = config.stash[_running]
        server.stop()
        folder.cleanup()
        del os.environ["PGFLOW_TEST_DSN"]


def pytest_report_header(config: pytest.Config) -> str:
    if "PGFLOW_TEST_DSN" not in os.environ:
        return "server: none"
    with psycopg.connect(os.environ["PGFLOW_TEST_DSN"]) as connection:
        return f"server: PostgreSQL {connection.info.parameter_status('server_version')}"


@pytest.fixture(scope="session")
def server() -> Server:
    """The server of this run."""
    given = conninfo_to_dict(os.environ["PGFLOW_TEST_DSN"])
    return Server(
        host=str(given.get("host", "localhost")),
        port=str(given.get("port", 5432)),
        user=str(given.get("user", "postgres")),
        password=None if given.get("password") is None else str(given["password"]),
        maintenance_dbname=str(given.get("dbname", "postgres")),
    )


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server of the test's own, of the kind that the run has, to be restarted."""
    # Not pytest's folder: each run of root's closes those to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="pgflow-test-") as name, make_server(Path(name)) as server:
        yield server


def make_server(folder: Path, settings: Mapping[str, str] = _SETTINGS) -> EmbeddedServer:
    """A server of the kind that is asked for, not started yet."""
    chosen = os.environ.get("PGFLOW_TEST_POSTGRES", "18")
    if chosen != "debian":
        return EmbeddedServer(folder, int(chosen), settings=settings)
    versions = sorted(int(path.parent.name) for path in Path("/usr/lib/postgresql").glob("*/bin"))
    if not versions:
        pytest.exit("PGFLOW_TEST_POSTGRES=debian, but there is no PostgreSQL under /usr/lib/postgresql", returncode=4)
    programs = Path(f"/usr/lib/postgresql/{versions[-1]}/bin")
    return EmbeddedServer(folder, versions[-1], settings=settings, programs=programs)


def crash(server: EmbeddedServer) -> None:
    """Restart a server as if it had crashed: every session is gone without a word, and the log is replayed."""
    programs = server.programs or find_programs(server.version or DEFAULT_VERSION)
    log = server.data / "server.log"
    server._run(programs / "pg_ctl", "restart", "-m", "immediate", "-w", "-D", str(server.data), "-l", str(log))

"""A PgBouncer of a test's own, in front of the database of the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow.embedded.programs import system_user
from tests.plugins.waiting import until

PoolMode: TypeAlias = Literal["transaction", "session"]
PoolerFactory: TypeAlias = Callable[..., str]
PgbouncerStarter: TypeAlias = Callable[[ConfigParser], Path]

_SETTINGS = """\
[databases]
* = {server}
[pgbouncer]
listen_port = 6432
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 300
"""


@pytest.fixture
def pooler(dsn: str, run_pgbouncer: PgbouncerStarter) -> PoolerFactory:
    """Starts a PgBouncer before `dsn` and returns the DSN that leads through it; it is stopped in the end."""
    given = conninfo_to_dict(dsn)
    server = " ".join(f"{key}={given[key]}" for key in ("host", "port", "user", "password") if given.get(key))

    def start(mode: PoolMode = "transaction", *, size: int = 4) -> str:
        settings = ConfigParser()
        settings.read_string(_SETTINGS.format(server=server, mode=mode, size=size))
        folder = run_pgbouncer(settings)
        return make_conninfo("", host=str(folder), port="6432", user=str(given["user"]), dbname=str(given["dbname"]))

    return start


@pytest.fixture
def run_pgbouncer() -> Iterator[PgbouncerStarter]:
    """Runs a PgBouncer by its settings, on a unix socket only, and returns the socket's folder."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", "no check may be skipped here: install pgbouncer"
        pytest.skip("there is no pgbouncer here")
    with ExitStack() as running:
        yield lambda settings: running.enter_context(_pgbouncer(program, settings))


@contextmanager
def _pgbouncer(program: str, settings: ConfigParser) -> Iterator[Path]:
    # Not pytest's folder: it refuses to run as root, and others may not enter that one.
    with tempfile.TemporaryDirectory(prefix="pgflow-test-") as name:
        folder = Path(name)
        settings["pgbouncer"].update({"listen_addr": "", "unix_socket_dir": str(folder)})
        written = folder / "pgbouncer.ini"
        with written.open("w") as file:
            settings.write(file)
        identity: dict[str, Any] = {}
        user = system_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
        log = folder / "pgbouncer.log"
        address = folder / f".s.PGSQL.{settings['pgbouncer']['listen_port']}"
        with log.open("wb") as output:
            process = subprocess.Popen([program, str(written)], stdout=output, stderr=output, **identity)
            try:
                until(lambda: process.poll() is not None or _answers(address), "a PgBouncer that answers")
                assert process.poll() is None, log.read_text()
                yield folder
            finally:
                process.terminate()
                process.wait()


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(address)) == 0

"""A PgBouncer of a test's own, in front of the database of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow.embedded.programs import system_user
from tests.plugins.waiting import until

PoolMode: TypeAlias = Literal["transaction", "session"]
PoolerFactory: TypeAlias = Callable[..., str]

_PORT = 6432

_SETTINGS = """\
[databases]
* = {server}
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 300
"""


@pytest.fixture
def pooler(dsn: str) -> Iterator[PoolerFactory]:
    """Starts a PgBouncer before `dsn` and returns the DSN that leads through it; it is stopped in the end."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", "no check may be skipped here: install pgbouncer"
        pytest.skip("there is no pgbouncer here")
    with ExitStack() as running:

        def start(mode: PoolMode = "transaction", *, size: int = 4) -> str:
            return running.enter_context(_pgbouncer(program, dsn, mode, size))

        yield start


@contextmanager
def _pgbouncer(program: str, dsn: str, mode: PoolMode, size: int) -> Iterator[str]:
    # Not pytest's folder: it refuses to run as root, and others may not enter that one.
    with tempfile.TemporaryDirectory(prefix="pgflow-test-") as name:
        folder = Path(name)
        given = conninfo_to_dict(dsn)
        server = " ".join(
            f"{key}={given[key]}" for key in ("host", "port", "user", "password") if given.get(key) is not None
        )
        settings = folder / "pgbouncer.ini"
        settings.write_text(_SETTINGS.format(server=server, port=_PORT, folder=folder, mode=mode, size=size))
        identity: dict[str, Any] = {}
        user = system_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
        pooled = make_conninfo(
            "", host=str(folder), port=str(_PORT), user=str(given["user"]), dbname=str(given["dbname"])
        )
        log = folder / "pgbouncer.log"
        with log.open("wb") as output:
            process = subprocess.Popen([program, str(settings)], stdout=output, stderr=output, **identity)
            try:
                until(lambda: process.poll() is not None or _answers(pooled), "a PgBouncer that answers")
                assert process.poll() is None, log.read_text()
                yield pooled
            finally:
                process.terminate()
                process.wait()


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True

"""gunicorn with one of the two applications, as it is deployed: a program with worker processes of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias
from uuid import UUID

import httpx
from attrs import frozen

from tests.plugins.waiting import until
from web import gunicorn_conf

ROOT = Path(__file__).resolve().parents[2]
STARTUP = 30.0
THREADS: int = gunicorn_conf.threads
"""How many requests each process answers at a time."""

HEARTBEAT = 0.2
"""Seconds of silence after which a stream finds out that its browser has gone."""

Framework: TypeAlias = Literal["flask", "django"]
WorkerClass: TypeAlias = Literal["gthread", "sync"]


@frozen
class WebServer:
    """A running gunicorn, and a program that asks it."""

    process: subprocess.Popen[bytes]
    port: int
    processes: int
    client: httpx.Client

    @property
    def url(self) -> str:
        """The address of the first page, without a slash."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, accept: str = "text/html") -> httpx.Response:
        """Ask for a page, and read it."""
        return self.client.get(path, headers={"Accept": accept})

    def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form as a browser would that has read the page with the form before."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).text)
        return self.client.post(path, data={**form, **({"csrfmiddlewaretoken": token[1]} if token else {})})

    def held(self) -> list[dict[str, Any]]:
        """What each worker process holds on to, see `observed`."""
        found: dict[int, dict[str, Any]] = {}

        def ask() -> bool:
            answer = self.get("/-/held").json()
            found[answer["pid"]] = answer
            return len(found) == self.processes

        until(ask, "an answer of each worker process", timeout=STARTUP)
        return [found[pid] for pid in sorted(found)]


def page_of_run(run_id: UUID, name: str = "") -> str:
    """The path of a page of a run."""
    return f"/runs/{run_id}" + (f"/{name}" if name else "")


@contextmanager
def web_server(
    framework: Framework,
    dsn: str,
    log: Path,
    *,
    worker_class: WorkerClass = "gthread",
    preload: bool = True,
    processes: int = 2,
    wait_seconds: float = 60,
) -> Iterator[WebServer]:
    """Serve an application on a free port for the time of a ``with`` block."""
    environment = {
        **os.environ,
        "PGFLOW_DSN": dsn,
        "HEARTBEAT_SECONDS": str(HEARTBEAT),
        "WAIT_SECONDS": str(wait_seconds),
        "PRELOAD": str(int(preload)),
        "WORKERS": str(processes),
        "WORKER_CLASS": worker_class,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples")]),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config",
                "python:tests.browser.gunicorn_conf",
                f"tests.browser.observed:{framework}()",
            ],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        bound = _port(process, log)
        # Without connections that are kept, each request may meet another process.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{bound}", timeout=60, limits=limits, trust_env=False) as client:
            yield WebServer(process, bound, processes, client)
    finally:
        process.terminate()
        process.wait(STARTUP)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    def listening() -> re.Match[str] | None:
        assert process.poll() is None, log.read_text()
        return re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())

    until(listening, "a server that listens", timeout=STARTUP)
    found = listening()
    assert found is not None
    return int(found[1])

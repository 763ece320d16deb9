"""The two applications behind gunicorn, as they are deployed, and a program that asks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias
from uuid import UUID

import httpx
from attrs import frozen

from tests.plugins.gunicorn import ROOT, Gunicorn, gunicorn
from tests.plugins.waiting import until
from web import gunicorn_conf

THREADS: int = gunicorn_conf.threads
"""How many requests each process answers at a time."""

HEARTBEAT = 0.2
"""Seconds of silence after which a stream finds out that its browser has gone."""

Framework: TypeAlias = Literal["flask", "django"]
WorkerClass: TypeAlias = Literal["gthread", "sync"]


@frozen
class WebServer:
    """An application that is served, and a program that asks it."""

    server: Gunicorn
    processes: int
    client: httpx.Client

    @property
    def url(self) -> str:
        """The address of the first page, without a slash at the end."""
        return self.server.url

    def get(self, path: str, accept: str = "text/html") -> httpx.Response:
        """Ask for a page, and read it."""
        return self.client.get(path, headers={"Accept": accept})

    def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form as a browser would that has read the page with the form before."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).text)
        return self.client.post(path, data={**form, **({"csrfmiddlewaretoken": token[1]} if token else {})})

    def held(self) -> list[dict[str, Any]]:
        """What each process holds on to, see `observed`."""
        found: dict[int, dict[str, Any]] = {}

        def ask() -> bool:
            answer = self.get("/-/held").json()
            found[answer["pid"]] = answer
            return len(found) == self.processes

        until(ask, "an answer of each process", timeout=30)
        return list(found.values())


def page_of_run(run_id: UUID, name: str = "") -> str:
    """The path of a page of a run."""
    return f"/runs/{run_id}" + (f"/{name}" if name else "")


@contextmanager
def web_server(
    framework: Framework,
    dsn: str,
    folder: Path,
    *,
    worker_class: WorkerClass = "gthread",
    preload: bool = True,
    processes: int = 2,
    wait_seconds: float = 60,
) -> Iterator[WebServer]:
    """Serve an application during the block; the server's log is in the folder."""
    application = gunicorn(
        f"tests.browser.observed:{framework}()",
        folder,
        "--config",
        "python:tests.browser.gunicorn_conf",
        PYTHONPATH=f"{ROOT}:{ROOT / 'examples'}",
        PGFLOW_DSN=dsn,
        HEARTBEAT_SECONDS=str(HEARTBEAT),
        WAIT_SECONDS=str(wait_seconds),
        PRELOAD=str(int(preload)),
        WORKERS=str(processes),
        WORKER_CLASS=worker_class,
    )
    # Without connections that are kept, each request may meet another process.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    with application as server, httpx.Client(base_url=server.url, timeout=60, limits=limits, trust_env=False) as client:
        yield WebServer(server, processes, client)

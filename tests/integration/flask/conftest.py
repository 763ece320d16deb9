"""Applications on a database of the test's own, by themselves and behind servers that speak HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from pgflow.client import FlowClient
from pgflow.contrib.flask.executors import AppThreads
from pgflow.worker import Worker
from tests.integration.flask.greetings import create_app, flow
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine


@pytest.fixture
def engine(database: Connection) -> Engine:
    """The engine on a session of its own, where each call commits."""
    return Engine(database)


@pytest.fixture
def app(dsn: str) -> Iterator[Flask]:
    """An application, whose client is closed in the end."""
    app = create_app({"PGFLOW_DSN": dsn})
    yield app
    for client in app.extensions["pgflow"].values():
        client.close()


@pytest.fixture
def defined(dsn: str) -> None:
    """The database knows the application's flow."""
    with FlowClient(dsn) as client:
        client.register(flow)


@pytest.fixture
def worker(app: Flask, dsn: str) -> Iterator[Worker]:
    """A worker in the test's process."""
    threads = AppThreads(4, app)
    with Worker(flow, dsn, executor=threads) as worker:
        yield worker
    threads.shutdown()


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    """Where Flask's own server, with a thread for each request, serves the application."""
    server: Any = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sessions(engine: Engine) -> Callable[[], list[str]]:
    """The names of the sessions of ours that the database of the test has now."""

    def look() -> list[str]:
        rows = engine.rows(
            "select application_name from pg_stat_activity"
            " where datname = current_database() and application_name like 'pgflow%'"
        )
        return sorted(row["application_name"] for row in rows)

    return look

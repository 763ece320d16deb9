"""The application in several processes of gunicorn, each with several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.plugins.browser import fetch, open_stream
from tests.plugins.engine import Engine
from tests.plugins.gunicorn import gunicorn
from tests.plugins.waiting import until

APP = "tests.integration.flask.greetings:create_app()"
THREADS = ("--worker-class", "gthread", "--workers", "2", "--threads", "8")

#: What each listening session said last; those that listen on nothing have said "unlisten".
LISTENERS = (
    "select query from pg_stat_activity where datname = current_database() and application_name = 'pgflow listener'"
)

pytestmark = pytest.mark.usefixtures("defined")


@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["each loads it", "preloaded"])
def test_processes_share_no_connection_and_the_threads_of_each_share_one_listener(
    preload: tuple[str, ...], dsn: str, engine: Engine, sessions: Callable[[], list[str]], tmp_path: Path
) -> None:
    with gunicorn(APP, tmp_path, *THREADS, *preload, FLASK_PGFLOW_DSN=dsn) as server:
        run_ids = [fetch("POST", f"{server.url}/runs/a%20b")[1]["run_id"] for _ in range(8)]
        streams = [open_stream(f"{server.url}/runs/{run_id}/events?heartbeat=0.02") for run_id in run_ids]
        for stream in streams:
            stream.until("step:started")
        assert 1 <= sessions().count("pgflow listener") <= 2
        for stream in streams:
            stream.close()
        until(
            lambda: all(row["query"].startswith("unlisten") for row in engine.rows(LISTENERS)),
            "listeners that listen on nothing",
        )
        with ThreadPoolExecutor(8) as browsers:
            results = browsers.map(partial(fetch, "GET"), [f"{server.url}/runs/{each}/result" for each in run_ids])
            engine.work({"words": ["a"], "loud": "A", "sentence": "A"}, flow="greet")
            assert list(results) == [(200, {"sentence": "A"})] * 8
        assert server.process.poll() is None
        assert "rror" not in server.log.read_text()
    until(lambda: sessions() == [], "no session of ours")


def test_a_browser_goes_on_at_the_next_server(dsn: str, engine: Engine, tmp_path: Path) -> None:
    short = (*THREADS, "--graceful-timeout", "1")
    with gunicorn(APP, tmp_path, *short, FLASK_PGFLOW_DSN=dsn) as server:
        run_id = fetch("POST", f"{server.url}/runs/a")[1]["run_id"]
        stream = open_stream(f"{server.url}/runs/{run_id}/events")
        stream.until("step:started")
    stream.close()
    with (
        gunicorn(APP, tmp_path, *short, FLASK_PGFLOW_DSN=dsn) as server,
        open_stream(f"{server.url}/runs/{run_id}/events", stream.last_event_id) as stream,
    ):
        engine.work({"words": ["a"], "loud": "A", "sentence": "A"}, flow="greet")
        assert [frame.event for frame in stream.until("end") if frame.event != "step:progress"] == [
            "step:completed",
            *["step:started", "step:completed"] * 2,
            "run:completed",
            "end",
        ]

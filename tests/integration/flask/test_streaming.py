"""Views that block and views that stream, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from pgflow.contrib.flask import current_client
from pgflow.worker import Worker
from tests.integration.flask.greetings import create_app, flow, pgflow
from tests.plugins.browser import EventSource, fetch, open_stream
from tests.plugins.engine import Engine
from tests.plugins.pooler import PoolerFactory
from tests.plugins.waiting import DEADLINE, meanwhile, until

pytestmark = pytest.mark.usefixtures("defined")


@pytest.fixture
def run_id(app: Flask) -> str:
    """A run that no worker has begun."""
    with app.app_context():
        return str(current_client.start(flow, "a b c").run_id)


def names(stream: EventSource, last: str = "end") -> list[str]:
    return [frame.event for frame in stream.until(last)]


def test_a_view_starts_a_run_and_another_blocks_for_its_result(site: str, worker: Worker) -> None:
    status, started = fetch("POST", f"{site}/runs/hello%20there")
    assert status == 202

    assert fetch("GET", f"{site}/runs/{started['run_id']}/result") == (200, {"sentence": "HELLO! THERE!"})


def test_a_view_gives_up_and_the_run_does_not(site: str, run_id: str, engine: Engine) -> None:
    assert fetch("GET", f"{site}/runs/{run_id}/result?timeout=0.02") == (202, {"status": "started"})
    with meanwhile(lambda: fetch("GET", f"{site}/runs/{run_id}/result")) as answer:
        engine.work({"words": ["a"], "loud": "A", "sentence": "A"}, flow="greet")
        assert answer.result(DEADLINE) == (200, {"sentence": "A"})


def test_a_stream_is_not_kept_by_caches_nor_collected_by_nginx(app: Flask, run_id: str, engine: Engine) -> None:
    engine.work({"words": []}, flow="greet")
    response = app.test_client().get(f"/runs/{run_id}/events")

    assert response.mimetype == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.text.startswith(": connected\n\nid: 1\nevent: run:started\n")
    assert response.text.endswith("event: end\ndata: {}\n\n")


@pytest.mark.parametrize("unknown", ["00000000-0000-0000-0000-000000000000", "nonsense"])
def test_a_run_that_is_not_there_is_not_found(app: Flask, unknown: str) -> None:
    assert app.test_client().get(f"/runs/{unknown}/events").status_code == 404


def test_a_browser_sees_every_event_when_it_happens(site: str, run_id: str, engine: Engine) -> None:
    with open_stream(f"{site}/runs/{run_id}/events") as stream:
        assert names(stream, "step:started") == ["run:started", "step:started"]
        engine.complete(engine.poll_one(flow="greet"), ["a", "b"])
        assert names(stream, "step:progress") == ["step:completed", "step:started", "step:progress"]
        engine.complete(engine.poll_one(flow="greet"), "A")
        (progress,) = stream.until("step:progress")
        assert progress.data == {"step_slug": "loud", "initial_tasks": 2, "remaining_tasks": 1}
        engine.work({"sentence": "A B"}, flow="greet")
        *_, end, last = stream.until("end")
        assert (end.event, end.data["output"], last.data) == ("run:completed", {"sentence": "A B"}, {})
        assert list(stream) == []


def test_a_browser_that_comes_back_goes_on_where_it_was(site: str, run_id: str, engine: Engine) -> None:
    with open_stream(f"{site}/runs/{run_id}/events") as stream:
        stream.until("step:started")
    engine.complete(engine.poll_one(flow="greet"), [])
    with open_stream(f"{site}/runs/{run_id}/events", stream.last_event_id) as stream:
        assert names(stream, "step:completed") == ["step:completed"]
        engine.work(flow="greet")
        seen = names(stream)
        assert "run:started" not in seen
        assert seen[-2:] == ["run:completed", "end"]
    with open_stream(f"{site}/runs/{run_id}/events", stream.last_event_id) as stream:
        assert names(stream) == ["end"]


def test_silence_is_broken_by_comments(site: str, run_id: str) -> None:
    with open_stream(f"{site}/runs/{run_id}/events?heartbeat=0.01") as stream:
        stream.until("step:started")
        assert {stream.comment() for _ in range(5)} == {"keep-alive"}


def test_who_goes_away_leaves_no_thread_listen_receiver_or_connection_behind(
    app: Flask, site: str, run_id: str, engine: Engine, sessions: Callable[[], list[str]]
) -> None:
    with app.app_context():
        run = pgflow.client.get_run(run_id)
    threads = set(threading.enumerate())
    streams = [open_stream(f"{site}/runs/{run_id}/events?heartbeat=0.02") for _ in range(5)]
    for stream in streams:
        stream.until("step:started")
    assert run._watch._interest == 5
    assert len(set(threading.enumerate()) - threads) > 5
    for stream in streams:
        stream.close()

    until(lambda: run._watch._interest == 0, "nobody who follows the run")
    assert not run._watch._changed.receivers
    assert run._watch._subscription is None
    listener = (
        "select query from pg_stat_activity where datname = current_database() and application_name = 'pgflow listener'"
    )
    until(lambda: engine.value(listener).startswith("unlisten"), "a listener that listens on nothing")
    with app.app_context():
        pgflow.client.close()
    until(lambda: sessions() == [], "no session of the client's")
    until(lambda: set(threading.enumerate()) <= threads, "no thread more than before")


@pytest.mark.parametrize("is_direct", [True, False], ids=["a direct connection to listen on", "the pooler alone"])
def test_views_stream_through_a_pooler(pooler: PoolerFactory, dsn: str, engine: Engine, is_direct: bool) -> None:
    app = create_app({"PGFLOW_DSN": pooler(), "PGFLOW_LISTEN_DSN": dsn if is_direct else None})
    with app.app_context():
        run_id = pgflow.client.start(flow, "a").run_id
    with meanwhile(lambda: app.test_client().get(f"/runs/{run_id}/events").text) as text:
        until(lambda: engine.run(run_id)["watched"] or not is_direct, "a run that is watched")
        engine.work({"words": ["a"], "loud": "A", "sentence": "A"}, flow="greet")
        assert text.result(DEADLINE).endswith("event: end\ndata: {}\n\n")
    with app.app_context():
        pgflow.client.close()

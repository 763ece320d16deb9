"""Views that stream what happens in a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory
from django.test import Client as Browser

from pgflow.contrib.django import DjangoWorker, get_client, stream_run
from tests.integration.django.shop.orders.flows import count_words, ship_order
from tests.integration.django.shop.orders.models import Order
from tests.plugins.browser import open_stream
from tests.plugins.databases import Connection
from tests.plugins.engine import NOBODY, Engine
from tests.plugins.gunicorn import gunicorn
from tests.plugins.waiting import until

APP = "tests.integration.django.shop.wsgi"
THREADS = ("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--graceful-timeout", "1")


@pytest.fixture
def defined(dsn: str) -> None:
    """The project's flows are known to the database, and somebody has ordered something."""
    Order.objects.create(amount=1)
    get_client().register(count_words)
    get_client().register(ship_order)


@pytest.fixture
def run_id(defined: None) -> str:
    """A run that no worker has begun."""
    return str(get_client().start(count_words, "a word").run_id)


@pytest.fixture
def engine(database: Connection) -> Engine:
    return Engine(database)


@pytest.fixture
def site(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The project, served by two processes of eight threads each."""
    with gunicorn(APP, tmp_path, *THREADS, **environment) as server:
        yield server.url


@pytest.fixture
def sessions(connect: Callable[..., Connection]) -> Callable[[], list[tuple[str, str]]]:
    """The name and last query of all other sessions of the database."""
    own = connect()
    others = (
        "select application_name, query from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    return lambda: cast("list[tuple[str, str]]", own.execute(others).fetchall())


def text_of(answer: object) -> str:
    return b"".join(cast("Iterator[bytes]", cast("StreamingHttpResponse", answer).streaming_content)).decode()


def test_a_stream_goes_from_the_start_to_the_end(run_id: str) -> None:
    with DjangoWorker():
        get_client().get_run(run_id).wait()
    answer = Browser().get(f"/runs/{run_id}/events/", headers={"accept-encoding": "gzip"})
    text = text_of(answer)

    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert text.startswith(": connected\n\nid: ")
    assert '"output": {"measure": [1, 4]}' in text
    assert text.endswith("event: end\ndata: {}\n\n")


@pytest.mark.parametrize("unknown", [str(NOBODY), "nonsense"])
def test_a_run_that_is_not_there_is_not_found(defined: None, unknown: str) -> None:
    assert Browser().get(f"/runs/{unknown}/events/").status_code == 404


def test_a_view_in_a_transaction_streams_the_run_that_it_starts(defined: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    answer = Browser().get("/orders/and-follow/")
    with DjangoWorker():
        assert "event: run:completed" in text_of(answer)


def test_a_server_that_would_collect_the_stream_is_refused(run_id: str) -> None:
    request = AsyncRequestFactory().get("/")

    with pytest.raises(ImproperlyConfigured, match="WSGI"):
        stream_run(request, run_id)


def test_a_browser_sees_every_event_when_it_happens(site: str, run_id: str, engine: Engine) -> None:
    with open_stream(f"{site}/runs/{run_id}/events/") as stream:
        assert [frame.event for frame in stream.until("step:started")] == ["run:started", "step:started"]
        engine.complete(engine.poll_one(flow="count-words"), ["a"])
        assert stream.until("step:completed")[-1].data["output"] == ["a"]
    with open_stream(f"{site}/runs/{run_id}/events/", stream.last_event_id) as stream:
        engine.complete(engine.poll_one(flow="count-words"), 1)
        seen = [frame.event for frame in stream.until("end")]
    assert seen[0] == "step:started"
    assert seen[-2:] == ["run:completed", "end"]


def test_a_stream_holds_no_connection_of_django_s_and_who_goes_away_leaves_nothing(
    site: str, run_id: str, sessions: Callable[[], list[tuple[str, str]]]
) -> None:
    connection.close()
    with ExitStack() as streams:
        for _ in range(8):
            stream = streams.enter_context(open_stream(f"{site}/runs/{run_id}/events/?heartbeat=0.02"))
            stream.until("step:started")
        until(
            lambda: not any('FROM "orders_order"' in query for _, query in sessions()),
            "no session that the views have asked for orders",
        )
    until(
        lambda: all(query.startswith("unlisten") for name, query in sessions() if name == "pgflow listener"),
        "listeners that listen on nothing",
    )

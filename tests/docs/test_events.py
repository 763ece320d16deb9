"""The page about events: what is sent, in which order a blocking call asks for it, and who is told in the process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from pgflow import Flow, FlowClient, Worker
from pgflow.client import dispatch
from pgflow.connector import PsycopgConnector
from pgflow.contrib import event_stream
from pgflow.listener import delivery
from pgflow.models import Completion
from pgflow.worker import claimer
from tests.docs.pages import Page
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout
from tests.plugins.listening import Ear
from tests.plugins.waiting import DEADLINE, meanwhile, until

PAGE = Page("concepts/events.md")


@pytest.fixture
def engine(database: Connection) -> Engine:
    return Engine(database)


def payloads() -> dict[str, set[str]]:
    """What the page says that each event holds."""
    rows = re.findall(r"^\| `([\w<>]+:\w+)` \|[^|]*\| (.*) \|$", PAGE.text, flags=re.MULTILINE)
    return {event: set(re.findall(r"`(\w+)`", keys)) for event, keys in rows}


def test_each_event_holds_what_the_page_says(engine: Engine, connect: Callable[..., Connection]) -> None:
    engine.define({"a": [], "b": fanout("a")})
    ear = Ear(connect())
    runs = [uuid4(), uuid4()]
    ear.listen_to(*runs)
    for run_id in runs:
        engine.start(run_id=run_id)
    failing, working = engine.poll()
    engine.fail(failing, permanent=True)
    engine.complete(working, [1])
    engine.work()

    heard: dict[str, set[str]] = {}
    for event in [event for run_id in runs for event in ear.events(run_id)]:
        name = re.sub("^[ab]:", "<step>:", event.name)
        assert heard.setdefault(name, set(event.payload)) == set(event.payload)
    assert heard == payloads()


def test_a_large_event_goes_without_its_value_and_says_so(engine: Engine, connect: Callable[..., Connection]) -> None:
    engine.define({"a": []})
    ear = Ear(connect())
    run_id = engine.start(watched=False)
    ear.listen_to(run_id)
    engine.call("watch_run", run_id=run_id)
    engine.fail(engine.poll_one(), "é" * 9000, permanent=True)
    (step, run) = ear.events(run_id)

    assert step.truncated and run.truncated  # noqa: PT018  both alike
    assert len(step.payload["error_message"]) == 1000
    assert max(step.size, run.size) < 8000


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process asks of the database: functions of the engine by their names, and LISTEN."""
    names: list[str] = []
    execute = psycopg.Cursor.execute

    def noting(cursor: Any, query: Any, *arguments: Any, **keywords: Any) -> Any:
        text = query.decode() if isinstance(query, bytes) else str(query)
        names.extend(re.findall(r"pgflow\.(\w+)\(", text) or (["LISTEN"] if text.startswith("listen") else []))
        return execute(cursor, query, *arguments, **keywords)

    monkeypatch.setattr(psycopg.Cursor, "execute", noting)
    return names


@pytest.fixture
def connector(dsn: str) -> Iterator[PsycopgConnector]:
    connector = PsycopgConnector(dsn)
    yield connector
    connector.close()


def test_a_blocking_call_asks_in_the_order_of_the_diagram(
    engine: Engine, connector: PsycopgConnector, asked: list[str]
) -> None:
    engine.define({"total": []})
    asked.clear()
    (diagram,) = PAGE.blocks("mermaid")
    drawn = re.findall(r"^ +\w->>P: (\w+)$", diagram.text, flags=re.MULTILINE)

    run = FlowClient(connector=connector).start("flow")
    with meanwhile(lambda: run.result(DEADLINE)) as result:
        until(lambda: "watch_runs" in asked, "the run to be watched")
        (task,) = connector.poll_for_tasks(["flow"], qty=1, lease=30)
        connector.complete_tasks([Completion(task.key, 6)])
    assert result.result() == {"total": 6}

    # The listener also compares, whenever it is time to, what it waits for with the tables.
    done = [name for name, _ in groupby(name for name in asked if name != "get_run_statuses")]
    assert done == drawn


def test_the_programs_print_what_they_say(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    letters: Flow[str] = Flow("count-letters", input=str)

    @letters.step
    def total(run: str) -> int:
        return len(run)

    with Worker(letters, dsn):
        names: dict[str, Any] = {"dsn": dsn}
        exec(compile(PAGE.program(), "events.md", "exec"), names)
        assert dispatch.dispatcher.drain(DEADLINE)
    shown = capsys.readouterr().out.splitlines()

    comments = re.findall(r"  # (?:…, )?(.*)$", PAGE.program(), flags=re.MULTILINE)
    assert len(comments) == 2
    assert set(comments) <= set(shown)


def test_the_frames_are_those_of_the_stream() -> None:
    section = PAGE.text.partition("## To the browser\n")[2].partition("\n## ")[0]
    frames = set(re.findall(r"`((?:run|step):\w+|end|error)`", section))
    assert frames == {*event_stream._NAMES.values(), "step:progress", "end", "error"}


def test_the_pauses_are_those_of_the_code(connector: PsycopgConnector) -> None:
    text = " ".join(PAGE.text.split())
    assert f"after {claimer._FIRST_PAUSE * 1000:g} ms and then" in text
    assert f"up to {claimer._LONGEST_SLEEP:g} s." in text
    assert f"every {connector._listener._check_interval:g} seconds what is awaited" in text
    assert f"after {delivery._FIRST_POLL * 1000:g} ms first and once a second at most" in text
    assert delivery._LAST_POLL == 1

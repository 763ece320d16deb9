"""Anybody who may connect may NOTIFY on any channel: it wakes those who listen, and changes nothing that they learn."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from pgflow import Flow, FlowClient, RunStatus, WaitTimeoutError, Worker
from pgflow.connector import PsycopgConnector
from pgflow.events import from_notification
from tests.plugins.databases import Connection
from tests.plugins.engine import NOBODY, Engine
from tests.plugins.waiting import DEADLINE

TIME = "2026-01-01T00:00:00+00:00"
#: The longest that PostgreSQL takes.
LONGEST = 7_999


def forgeries(run_id: object) -> list[str]:
    """What somebody may send on the channel of a run."""
    whole: dict[str, dict[str, Any]] = {
        "run:started": {"flow_slug": "other", "input": "forged", "remaining_steps": -7, "started_at": TIME},
        "run:completed": {"output": {"b": "forged"}, "completed_at": TIME},
        "run:failed": {"error_message": "forged", "failed_at": TIME},
        "b:started": {"step_slug": "b", "started_at": TIME},
        "b:completed": {"step_slug": "b", "output": "forged", "completed_at": TIME},
        "b:failed": {"step_slug": "b", "error_message": "forged", "failed_at": TIME},
        "nowhere:completed": {"step_slug": "nowhere", "output": "forged", "completed_at": TIME},
        "a:completed": {"step_slug": "b", "output": "forged", "completed_at": TIME},
    }
    messages: list[dict[str, Any]] = [
        {"event": event, "payload": {"run_id": str(each), **payload}}
        # First those that look whole: what does not has the tables asked, and what follows it is passed over.
        for each in (run_id, NOBODY)
        for event, payload in whole.items()
    ]
    messages += [{**message, "truncated": truncated} for message in messages for truncated in (True, "yes", [0])]
    empty: list[Any] = [{}, None, [], "x"]
    messages += [{"event": event, "payload": payload} for event in whole for payload in empty]
    odd = [
        *("", "x", "null", "[]", "{}", "0", '"run:completed"', "{", "\x01\x1b[2J", "\u202e", "\u00e9" * 3_000),
        *("[" * LONGEST, '{"a":' * 1_500, "9" * LONGEST, "1e999", "NaN", '{"event":"run:completed"}'),
        '{"event": "run:completed", "event": "b:failed", "payload": {}, "payload": {}}',
        json.dumps({"event": "run:completed", "payload": {"run_id": str(run_id), "output": "x" * 7_800}}),
        json.dumps({"event": ":", "payload": {"run_id": str(run_id), "step_slug": "", "started_at": "9" * 400}}),
    ]
    return [*map(json.dumps, messages), *odd]


@pytest.fixture
def engine(committed: Engine) -> Engine:
    committed.define({"a": [], "b": ["a"]})
    return committed


@pytest.fixture
def client(dsn: str) -> Any:
    with FlowClient(dsn) as client:
        yield client


def notify(database: Connection, channel: str, payload: str) -> None:
    database.execute("select pg_notify(%s, %s)", [channel, payload])


def test_no_forgery_changes_what_a_run_is(client: FlowClient, engine: Engine, database: Connection) -> None:
    run, bystander = client.start("flow", "true"), client.start("flow", "other")
    events, others = run.events(DEADLINE), bystander.events(DEADLINE)
    heard = [next(events)]
    next(others)
    threads = set(threading.enumerate())
    for text in forgeries(run.run_id):
        notify(database, f"pgflow:run:{run.run_id}", text)
    with pytest.raises(WaitTimeoutError):
        run.result(0.5)
    assert (run.status, run.input, run.flow_slug, run.error_message) == (RunStatus.STARTED, "true", "flow", None)
    assert run.step("b").output is None

    engine.work({"a": 1, "b": "real"})
    heard += list(events)
    assert run.result(DEADLINE) == bystander.result(DEADLINE) == {"b": "real"}
    assert "forged" not in str(heard)
    assert str(heard[-1]) == str(list(client.get_run(run.run_id).events(DEADLINE))[-1])
    assert threads <= set(threading.enumerate()), "the listener has gone on"


def test_a_forged_end_wakes_waiting_callers_for_nothing(
    client: FlowClient, engine: Engine, database: Connection
) -> None:
    run = client.start("flow")
    ends: list[Any] = []
    waiting = threading.Thread(target=lambda: ends.append(run.result(4 * DEADLINE)), daemon=True)
    waiting.start()
    for _ in range(200):
        notify(database, f"pgflow:run:{run.run_id}", forgeries(run.run_id)[1])
    assert waiting.is_alive()
    engine.work({"a": 1, "b": "real"})
    waiting.join(4 * DEADLINE)
    assert ends == [{"b": "real"}]


def test_a_worker_that_is_woken_by_anybody_works_all_the_same(dsn: str, database: Connection) -> None:
    flow = Flow("woken")

    @flow.step
    def only(run: int) -> int:
        return run + 1

    with Worker(flow, dsn), FlowClient(dsn) as client:
        for text in [*forgeries(uuid4())[:20], "x" * LONGEST, "[" * LONGEST]:
            notify(database, "pgflow:queue:woken", text)
        assert [run.result(DEADLINE) for run in client.start_many(flow, range(20))] == [
            {"only": number + 1} for number in range(20)
        ]


def test_whoever_guesses_the_probe_only_makes_it_believe_in_listening(
    dsn: str, engine: Engine, database: Connection
) -> None:
    connector = PsycopgConnector(dsn)
    with FlowClient(connector=connector) as client:
        run = client.start("flow")
        next(run.events(DEADLINE))
        channel = connector._listener._probe.channel
        for text in ("", "x", "[" * LONGEST):
            notify(database, channel, text)
        engine.work({"a": 1, "b": "real"})
        assert run.result(DEADLINE) == {"b": "real"}
    connector.close()


def test_any_text_is_an_event_or_nothing() -> None:
    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=200) | st.sampled_from(forgeries(NOBODY)))
    def check(text: str) -> None:
        event = from_notification(text)
        assert event is None or event.run_id == NOBODY

    check()


def test_a_listener_needs_no_channel_that_the_engine_does_not_use(
    client: FlowClient, engine: Engine, database: Connection
) -> None:
    run = client.start("flow")
    next(run.events(DEADLINE))
    for channel in (f"pgflow:run:{uuid4()}", "pgflow:run:", f"pgflow:run:{run.run_id}x", "pgflow", "a" * 63):
        database.execute(sql.SQL("notify {}, 'forged'").format(sql.Identifier(channel)))
    engine.work({"a": 1, "b": "real"})
    assert run.result(DEADLINE) == {"b": "real"}

"""Server-Sent Events of a run that goes on: as it happens, with its fan-out's progress, and until somebody leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from typing import Any

import pytest

from pgflow.client import FlowClient
from pgflow.connector import PsycopgConnector
from pgflow.contrib.event_stream import event_stream
from tests.integration.client.listeners import Listeners, wait_until_deaf
from tests.plugins.engine import Engine, fanout
from tests.plugins.waiting import DEADLINE, meanwhile, until

Stream = Generator[str, None, None]


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"list": [], "visit": fanout("list"), "sum": ["visit"]}, max_attempts=1)


def name(frame: str) -> str:
    return frame.partition("event: ")[2].partition("\n")[0]


def data(frame: str) -> Any:
    return json.loads(frame.partition("data: ")[2])


def up_to(stream: Stream, wanted: str) -> list[str]:
    """The frames up to one of that name, comments left out."""
    frames: list[str] = []
    for frame in stream:
        if not frame.startswith(":"):
            frames.append(frame)
            if name(frame) == wanted:
                return frames
    pytest.fail(f"{wanted} never came, but {[name(frame) for frame in frames]}")


def test_events_come_as_they_happen(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    stream = event_stream(run, progress=None)
    with meanwhile(lambda: up_to(stream, "end")) as frames:
        listeners.wait_until_idle()
        engine.work({"list": [1, 2], "visit": "seen", "sum": 2})
        seen = frames.result(DEADLINE)

    assert [name(frame) for frame in seen] == [
        "run:started",
        *["step:started", "step:completed"] * 3,
        "run:completed",
        "end",
    ]
    assert data(seen[-2])["output"] == {"sum": 2}


def test_silence_is_broken_by_comments(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    stream = event_stream(run, heartbeat=0.01)
    up_to(stream, "step:started")

    assert [next(stream) for _ in range(3)] == [": keep-alive\n\n"] * 3
    engine.work({"list": []})
    assert name(up_to(stream, "run:completed")[-1]) == "run:completed"


def test_a_fan_out_tells_how_far_it_is_and_only_what_is_new(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    stream = event_stream(run, heartbeat=0.01, progress=0.01)
    engine.complete(engine.poll_one(), [1, 2, 3])
    began, *_ = up_to(stream, "step:progress")[-1:]
    assert data(began) == {"step_slug": "visit", "initial_tasks": 3, "remaining_tasks": 3}
    assert [next(stream) for _ in range(3)] == [": keep-alive\n\n"] * 3

    engine.complete(engine.poll_one())
    assert data(up_to(stream, "step:progress")[0])["remaining_tasks"] == 2
    engine.work()
    names = [name(frame) for frame in up_to(stream, "end")]
    assert "step:progress" not in names[names.index("step:completed") :]


def test_a_stream_that_wants_no_progress_gets_none(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    stream = event_stream(run, heartbeat=0.01, progress=None)
    engine.complete(engine.poll_one(), [1, 2, 3])
    up_to(stream, "step:completed")
    up_to(stream, "step:started")

    assert [next(stream) for _ in range(3)] == [": keep-alive\n\n"] * 3


def test_those_who_look_at_one_run_share_what_they_read(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    engine.complete(engine.poll_one(), [1, 2, 3])
    assert run.refresh(max_age=60).step("visit").remaining_tasks == 3
    engine.complete(engine.poll_one())

    assert client.get_run(run.run_id).step("visit").remaining_tasks == 2
    engine.complete(engine.poll_one())
    assert run.refresh(max_age=60).step("visit").remaining_tasks == 2
    assert run.refresh().step("visit").remaining_tasks == 1


def test_another_process_goes_on_where_the_first_one_ended(
    client: FlowClient, engine: Engine, dsn: str, listeners: Listeners
) -> None:
    run = client.start("flow")
    stream = event_stream(run)
    *_, last = up_to(stream, "step:started")
    stream.close()
    engine.complete(engine.poll_one(), [1, 2])
    with FlowClient(dsn) as elsewhere:
        last_event_id = last.partition("id: ")[2].partition("\n")[0]
        stream = event_stream(elsewhere.get_run(run.run_id), last_event_id=last_event_id, progress=None)
        with meanwhile(lambda: up_to(stream, "end")) as frames:
            engine.work()
            seen = frames.result(DEADLINE)

    assert [name(frame) for frame in seen] == [
        "step:completed",
        *["step:started", "step:completed"] * 2,
        "run:completed",
        "end",
    ]


def test_who_closes_the_stream_leaves_nothing_behind(client: FlowClient, connector: PsycopgConnector) -> None:
    threads = threading.active_count()
    run = client.start("flow")
    stream = event_stream(run, heartbeat=0.01)
    up_to(stream, "step:started")
    next(stream)
    stream.close()

    wait_until_deaf(connector)
    assert run._watch._subscription is None
    assert not run._watch._changed.receivers
    connector.close()
    until(lambda: threading.active_count() <= threads, "no thread more than before")


def test_a_stream_that_nobody_read_from_has_begun_nothing(client: FlowClient) -> None:
    run = client.start("flow")
    stream = event_stream(run)
    next(stream)
    stream.close()

    assert run._watch._interest == 0


def test_a_run_that_is_deleted_ends_its_stream_with_a_sentence(dsn: str, engine: Engine) -> None:
    connector = PsycopgConnector(dsn, check_interval=0.05)
    client = FlowClient(connector=connector)
    run = client.start("flow")
    stream = event_stream(run)
    up_to(stream, "step:started")
    engine.call("delete_flow", p_flow_slug="flow")
    (last,) = up_to(stream, "error")
    connector.close()

    # Which of the two depends on who of the listener's looks first.
    assert data(last)["message"] in (
        f"run {run.run_id} was deleted while it was followed",
        f"there is no run {run.run_id}",
    )


def test_a_server_that_ends_every_session_is_waited_for(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    run = client.start("flow")
    stream = event_stream(run, heartbeat=0.01, progress=0.01)
    engine.complete(engine.poll_one(), [1, 2])
    up_to(stream, "step:progress")
    engine.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and application_name like 'pgflow%'"
    )
    engine.work()

    assert name(up_to(stream, "end")[-2]) == "run:completed"

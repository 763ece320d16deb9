"""Events as a caller gets them: by iteration, by receivers of a run or step, and by signals."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest
from attrs import frozen

from pgflow import signals
from pgflow.client import FlowClient, FlowRun
from pgflow.client.dispatch import dispatcher
from pgflow.connector import PsycopgConnector
from pgflow.dsl import Flow
from pgflow.errors import WaitTimeoutError
from pgflow.events import (
    Event,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepCompleted,
    StepEvent,
    StepFailed,
    StepStarted,
)
from pgflow.models import RunStatus
from tests.integration.client.listeners import Listeners, wait_until_deaf
from tests.plugins.engine import Engine, fanout
from tests.plugins.waiting import DEADLINE, meanwhile

CHAIN = [RunStarted, StepStarted, StepCompleted, StepStarted, StepCompleted, RunCompleted]


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]}, max_attempts=1)


def kinds(events: list[Any]) -> list[type[Any]]:
    return [type(event) for event in events]


def called() -> None:
    """Return once everything that was to be called has been."""
    assert dispatcher.drain(DEADLINE)


def test_events_come_in_order_and_end_with_the_run(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow", {"x": 1})
    with meanwhile(lambda: list(run.events())) as events:
        listeners.wait_until_idle()
        engine.work({"a": 1, "b": 2})
        seen = events.result(DEADLINE)

    assert kinds(seen) == CHAIN
    assert seen[0] == RunStarted(run.run_id, "flow", {"x": 1}, 2, run.started_at)
    assert [event.output for event in seen if isinstance(event, StepCompleted)] == [1, 2]
    assert seen[-1] == RunCompleted(run.run_id, {"b": 2}, run.completed_at)  # type: ignore[arg-type]


def test_live_events_are_those_that_a_replay_shows(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow", {"x": 1})
    with meanwhile(lambda: list(run.events())) as events:
        listeners.wait_until_idle()
        engine.work({"a": 1, "b": 2})
        live = events.result(DEADLINE)

    with FlowClient(connector=client._connector) as another:
        assert list(another.get_run(run.run_id).events(0)) == live
    assert list(run.events(0)) == live


def test_a_watch_that_comes_in_the_middle_replays_what_was_before(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    run = client.start("flow")
    engine.complete(engine.poll_one())
    events = run.events(DEADLINE)

    assert kinds([next(events) for _ in range(4)]) == CHAIN[:4]
    engine.work()
    assert kinds(list(events)) == CHAIN[4:]


def test_who_stops_listening_leaves_no_listen_behind(client: FlowClient, connector: PsycopgConnector) -> None:
    run = client.start("flow")
    events = run.events()
    assert isinstance(next(events), RunStarted)
    events.close()

    wait_until_deaf(connector)


def test_silence_is_told_by_none_and_the_wait_goes_on(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    events = run.events(DEADLINE, heartbeat=0.01)
    heard = filter(None, events)
    assert kinds([next(heard), next(heard)]) == CHAIN[:2]
    assert [next(events), next(events)] == [None, None]
    engine.work()

    assert kinds(list(heard)) == CHAIN[2:]


def test_what_is_no_event_does_not_break_the_silence(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    may_end = threading.Event()

    def refresh() -> None:
        while not may_end.wait(0.005):
            run.refresh()

    with meanwhile(refresh):
        events = run.events(DEADLINE, heartbeat=0.1)
        heard = filter(None, events)
        assert kinds([next(heard), next(heard)]) == CHAIN[:2]
        assert next(events) is None
        may_end.set()
    events.close()
    engine.work()


def test_a_timeout_is_kept_whatever_the_heartbeat(client: FlowClient) -> None:
    run = client.start("flow")
    for heartbeat in (0.01, 0.02, 60):
        with pytest.raises(WaitTimeoutError, match=r"did not come within 0\.02 seconds"):
            list(run.events(0.02, heartbeat=heartbeat))


def test_a_run_that_was_started_with_its_flow_is_had_with_plain_values_too(client: FlowClient, engine: Engine) -> None:
    flow = Flow("pages", input=Site)
    flow.step("crawl")(crawl)
    client.register(flow)
    run = client.start(flow, Site(1))
    plain = run.plain()
    engine.work({"crawl": [{"words": 1}]}, flow="pages")

    assert run.result(DEADLINE) == {"crawl": [Page(1)]}
    assert plain.output == plain.result(0) == {"crawl": [{"words": 1}]}
    assert plain.step("crawl").output == [{"words": 1}]
    assert plain.run_id == run.run_id


def test_a_failed_run_ends_its_events(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with meanwhile(lambda: list(run.events())) as events:
        listeners.wait_until_idle()
        engine.fail(engine.poll_one(), "it broke")

        assert kinds(events.result(DEADLINE)) == [RunStarted, StepStarted, StepFailed, RunFailed]


@pytest.mark.parametrize("size", [7_000, 9_000, 300_000])
@pytest.mark.parametrize("letter", ["x", "é", "☃"])
def test_an_event_that_is_too_large_to_be_notified_comes_whole(
    client: FlowClient, engine: Engine, listeners: Listeners, size: int, letter: str
) -> None:
    large = letter * size
    run = client.start("flow")
    with meanwhile(lambda: list(run.events())) as events:
        listeners.wait_until_idle()
        engine.work({"a": large, "b": large})
        seen = events.result(DEADLINE)

    assert kinds(seen) == CHAIN
    assert [event.output for event in seen if isinstance(event, StepCompleted)] == [large, large]
    assert run.result(0) == {"b": large}


def test_a_forged_event_is_believed_by_nobody(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with meanwhile(lambda: run.result(DEADLINE)) as result:
        listeners.wait_until_idle()
        for payload in ("", "[]", '{"event": "run:completed", "payload": {}}', '{"event": "c:started"}'):
            engine.do("select pg_notify(%s, %s)", f"pgflow:run:{run.run_id}", payload)
        engine.work({"b": 7})

        assert result.result(DEADLINE) == {"b": 7}


def test_chained_fanouts_over_nothing_are_replayed_in_the_order_of_their_dependencies(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    slugs = [f"s{90 - number}" for number in range(30)]
    engine.define({slugs[0]: [], **{slug: fanout(before) for before, slug in pairwise(slugs)}}, flow="empty")
    run = client.start("empty")
    with meanwhile(lambda: list(run.events())) as events:
        listeners.wait_until_idle()
        engine.work({slugs[0]: []}, flow="empty")
        live = events.result(DEADLINE)

    with FlowClient(connector=client._connector) as another:
        replayed = list(another.get_run(run.run_id).events(0))
    for seen in (live, replayed):
        assert [event.step_slug for event in seen if isinstance(event, StepCompleted)] == slugs


# Receivers


def test_a_receiver_hears_of_what_was_before_it_and_of_what_comes(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    run = client.start("flow")
    engine.complete(engine.poll_one())
    heard: list[Event] = []
    run.on(RunStarted, heard.append)
    run.on(StepEvent, heard.append)
    run.on(RunCompleted, heard.append)
    listeners.wait_until_idle()
    engine.work()
    run.wait(DEADLINE)
    called()

    assert kinds(heard) == CHAIN


def test_a_receiver_that_comes_after_the_end_hears_everything(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    engine.work()
    run.wait(DEADLINE)
    heard: list[Event] = []
    run.on(Event, heard.append)
    called()

    assert kinds(heard) == CHAIN


def test_on_is_a_decorator_too(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    heard: list[RunCompleted] = []

    @run.on(RunCompleted)
    def receive(event: RunCompleted) -> None:
        heard.append(event)

    engine.work({"b": 7})
    run.wait(DEADLINE)
    called()
    receive(heard[0])

    assert heard == [RunCompleted(run.run_id, {"b": 7}, run.completed_at)] * 2  # type: ignore[arg-type]


def test_a_receiver_is_held_though_nobody_else_holds_it_or_its_run(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    heard = threading.Event()
    client.start("flow").on(RunCompleted, lambda event: heard.set())
    listeners.wait_until_idle()
    engine.work()

    assert heard.wait(DEADLINE)


def test_a_receiver_that_was_disconnected_hears_nothing(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    heard: list[Event] = []
    disconnect = run.on(StepCompleted, heard.append)
    disconnect()
    disconnect()
    engine.work()
    run.wait(DEADLINE)
    called()

    assert heard == []


def test_a_step_has_receivers_of_its_own(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    heard: list[Event] = []
    run.step("b").on(StepCompleted, heard.append)
    engine.work({"a": 1, "b": 2})
    run.wait(DEADLINE)
    called()

    assert [(event.step_slug, event.output) for event in heard if isinstance(event, StepCompleted)] == [("b", 2)]


def test_receivers_are_called_on_the_dispatch_thread_after_those_who_wait(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    run = client.start("flow")
    may_return = threading.Event()
    threads: list[str] = []

    def dawdle(event: Event) -> None:
        threads.append(threading.current_thread().name)
        may_return.wait(DEADLINE)

    run.on(Event, dawdle)
    engine.work()
    assert run.wait(DEADLINE).status is RunStatus.COMPLETED
    assert len(threads) <= 1, "a slow receiver has delayed the wait"
    may_return.set()
    called()

    assert threads == ["pgflow-receivers"] * len(CHAIN)


def test_a_slow_receiver_delays_nobody_who_waits_for_another_run(client: FlowClient, engine: Engine) -> None:
    slow, other = client.start("flow"), client.start("flow")
    may_return = threading.Event()
    heard: list[Event] = []
    slow.on(RunStarted, lambda event: may_return.wait(DEADLINE))
    other.on(RunCompleted, heard.append)
    engine.work()

    assert other.wait(DEADLINE).status is RunStatus.COMPLETED
    assert [type(event) for event in other.events(DEADLINE)][-1] is RunCompleted
    assert heard == [], "receivers are called one after the other"
    may_return.set()
    called()
    assert [type(event) for event in heard] == [RunCompleted]


def test_a_receiver_that_raises_stops_nobody(
    client: FlowClient, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    run = client.start("flow")
    heard: list[Event] = []
    run.on(RunStarted, lambda event: 1 / 0)
    run.on(Event, heard.append)
    engine.work()
    run.wait(DEADLINE)
    called()

    assert kinds(heard) == CHAIN
    assert "ZeroDivisionError" in caplog.text


def test_what_is_no_event_is_refused(client: FlowClient) -> None:
    with pytest.raises(TypeError, match=r"pgflow\.events"):
        client.start("flow").on(int, print)


# Signals


def test_each_event_of_a_watched_run_is_signalled_once(client: FlowClient, engine: Engine) -> None:
    heard: list[tuple[str, FlowRun, Event]] = []

    def receive(flow_slug: str, *, run: FlowRun, event: Event) -> None:
        heard.append((flow_slug, run, event))

    for signal in (
        signals.run_started,
        signals.run_completed,
        signals.run_failed,
        signals.step_started,
        signals.step_completed,
        signals.step_failed,
    ):
        signal.connect(receive, sender="flow")
    run = client.start("flow")
    again = client.get_run(run.run_id)
    with meanwhile(run.wait) as waiting, meanwhile(again.wait) as also_waiting:
        engine.work()
        waiting.result(DEADLINE)
        also_waiting.result(DEADLINE)
    run.wait(0)
    called()

    mine = [(run, event) for slug, run, event in heard if event.run_id == again.run_id and slug == "flow"]
    assert kinds([event for _, event in mine]) == CHAIN
    assert {each.run_id for each, _ in mine} == {run.run_id}


def test_a_receiver_of_a_signal_that_raises_stops_nobody(
    client: FlowClient, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    def broken(flow_slug: str, **_: Any) -> None:
        raise ZeroDivisionError

    def receive(flow_slug: str, *, run: FlowRun, event: Event) -> None:
        heard.append(event)

    run = client.start("flow")
    with signals.run_completed.connected_to(broken), signals.run_completed.connected_to(receive):
        engine.work()
        run.wait(DEADLINE)
        called()

    assert [event.run_id for event in heard] == [run.run_id]
    assert f"run {run.run_id}" in caplog.text


# Values


@frozen
class Page:
    words: int


@frozen
class Site:
    pages: int


def crawl(run: Site) -> list[Page]:
    return [Page(number) for number in range(run.pages)]


def count(item: Page) -> Page:
    return item


def test_values_come_back_as_the_flow_says(client: FlowClient, engine: Engine) -> None:
    flow = Flow("pages", input=Site)
    crawled = flow.step("crawl")(crawl)
    counted = flow.step("count", depends_on=[crawled], fanout=True)(count)
    client.register(flow)
    run = client.start(flow, Site(2))
    engine.work({"crawl": [{"words": 1}, {"words": 2}], "count": lambda task: task.input["item"]}, flow="pages")
    pages = [Page(1), Page(2)]

    assert run.step(counted).result(DEADLINE) == pages
    assert run.result(DEADLINE) == run.output == {"count": pages}
    assert run.steps["crawl"].output == run.step("crawl").result(0) == pages
    events = list(run.events(0))
    assert [event.output for event in events if isinstance(event, StepCompleted)] == [pages, pages]
    assert [event.input for event in events if isinstance(event, RunStarted)] == [Site(2)]

    found = client.get_run(run.run_id)
    assert found.result(0) == {"count": [{"words": 1}, {"words": 2}]}
    assert found.step(counted).result(0) == pages


@pytest.mark.parametrize("value", ["123", 0, False, "", [], {}, None], ids=repr)
def test_an_output_comes_back_as_it_went(client: FlowClient, engine: Engine, value: Any) -> None:
    run = client.start("flow")
    engine.work({"b": value})

    (result,) = run.result(DEADLINE).values()
    assert (result, type(result)) == (value, type(value))
    assert client.get_run(run.run_id).step("b").result(0) == value

"""What the listener does when its connection, its server or its ears fail."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import psycopg
import pytest

from pgflow.client import FlowClient
from pgflow.connector import PsycopgConnector
from pgflow.engine.pool import Connection, connect
from pgflow.errors import ServerGoneError, UnknownRunError
from pgflow.events import RunCompleted, RunStarted, StepStarted
from pgflow.listener import Listener
from pgflow.models import RunStatus
from tests.integration.client.listeners import Listeners, Observer, wait_until_deaf
from tests.plugins.engine import Engine
from tests.plugins.waiting import DEADLINE, meanwhile, until


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})


def opener(dsn: str, name: str = "pgflow listener") -> partial[Connection]:
    return partial(connect, dsn, name=name, prepare_threshold=5)


def deaf(channel: str) -> None:
    """Send no notification to oneself: what the listener concludes is that none arrives."""


def test_the_first_connection_fails_in_the_caller() -> None:
    listener = Listener(opener("host=/nonexistent"), deaf)

    with pytest.raises(psycopg.OperationalError, match="nonexistent"):
        listener.subscribe(uuid4(), Observer())
    with pytest.raises(psycopg.OperationalError):
        listener.start()
    listener.stop()


def test_starting_and_stopping_are_idempotent(dsn: str, listeners: Listeners) -> None:
    with Listener(opener(dsn), deaf) as listener:
        listener.start()
        assert len(listeners.queries()) == 1
    listener.stop()
    until(lambda: listeners.queries() == [])

    listener.start()
    assert len(listeners.queries()) == 1
    listener.stop()


def test_however_many_start_it_there_is_one_connection(dsn: str, listeners: Listeners) -> None:
    listener = Listener(opener(dsn), deaf)
    threads = [threading.Thread(target=listener.start) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(listeners.queries()) == 1
    listener.stop()


def test_the_snapshot_comes_first_and_how_things_end_is_read_from_the_tables(
    connector: PsycopgConnector, engine: Engine, listeners: Listeners
) -> None:
    run_id = engine.start()  # watched from its start: events are sent before anybody asks for a snapshot
    observer = Observer()
    subscription = connector.subscribe(run_id, observer)
    until(lambda: observer.snapshots)
    engine.work()
    until(lambda: observer.snapshots[-1].run.status is RunStatus.COMPLETED)
    subscription.cancel()
    subscription.cancel()

    assert observer.snapshots[0].run.status is RunStatus.STARTED
    assert {type(event) for event in observer.events} <= {StepStarted}


def test_a_second_subscriber_of_a_run_has_its_own_snapshot_first(connector: PsycopgConnector, engine: Engine) -> None:
    run_id = engine.start()
    first, second = Observer(), Observer()
    connector.subscribe(run_id, first)
    until(lambda: first.snapshots)
    engine.complete(engine.poll_one())
    connector.subscribe(run_id, second)
    until(lambda: second.snapshots)
    engine.work()
    until(lambda: all(each.snapshots[-1].run.status is RunStatus.COMPLETED for each in (first, second)))

    assert {step.step_slug: step.status for step in second.snapshots[0].steps} == {"a": "completed", "b": "started"}


def test_a_run_that_is_not_there_is_an_error(connector: PsycopgConnector) -> None:
    observer = Observer()
    connector.subscribe(uuid4(), observer)
    until(lambda: observer.errors)

    assert isinstance(observer.errors[0], UnknownRunError)


def test_a_subscriber_that_raises_stops_nobody(
    connector: PsycopgConnector, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = engine.start()
    broken, sound = Observer(then=lambda: 1 / 0), Observer()
    subscriptions = [connector.subscribe(run_id, observer) for observer in (broken, sound)]
    until(lambda: sound.snapshots)
    engine.work()
    until(lambda: sound.snapshots[-1].run.status is RunStatus.COMPLETED)
    for subscription in subscriptions:
        subscription.cancel()

    assert "ZeroDivisionError" in caplog.text


def test_a_run_that_ends_while_the_connection_is_lost(
    client: FlowClient, engine: Engine, listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    run = client.start("flow")
    with meanwhile(lambda: list(run.events())) as events:
        listeners.wait_until_idle()
        engine.complete(engine.poll_one())
        # No new connection is let in until the run has ended.
        database = engine.value("select current_database()")
        with psycopg.connect(os.environ["PGFLOW_TEST_DSN"], autocommit=True) as outside:
            outside.execute(f'alter database "{database}" allow_connections false'.encode())
            assert listeners.terminate() == 1
            engine.work({"b": 7})
            outside.execute(f'alter database "{database}" allow_connections true'.encode())
        seen = events.result(DEADLINE)

    assert [type(event) for event in seen][:2] == [RunStarted, StepStarted]
    assert isinstance(seen[-1], RunCompleted)
    assert len(seen) == 6
    assert "lost its connection" in caplog.text


def test_a_run_that_ends_after_the_connection_was_made_again(
    client: FlowClient, engine: Engine, listeners: Listeners
) -> None:
    run = client.start("flow")
    with meanwhile(run.result) as result:
        for _ in range(3):
            listeners.wait_until_idle()
            assert listeners.terminate() == 1
            until(lambda: listeners.queries() and not result.done())
        engine.work({"b": 7})

        assert result.result(DEADLINE) == {"b": 7}


def test_a_session_that_is_ended_while_it_watches_is_made_again(
    client: FlowClient, engine: Engine, listeners: Listeners, connect: Callable[..., Connection]
) -> None:
    run = client.start("flow")
    other = Engine(connect(autocommit=False))
    other.do("select from pgflow.runs where run_id = %s for update", run.run_id)
    with meanwhile(run.result) as result:
        until(
            lambda: engine.rows(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and application_name = 'pgflow listener' and wait_event_type = 'Lock'"
            ),
            "a listener that waits for the lock",
        )
        other.connection.rollback()
        engine.work({"b": 7})

        assert result.result(DEADLINE) == {"b": 7}


def test_only_what_is_still_awaited_is_watched_again(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    gone, awaited = client.start("flow", 1), client.start("flow", 2)
    with pytest.raises(TimeoutError):
        gone.wait(0.01)
    engine.do("update pgflow.runs set watched = false")
    with meanwhile(awaited.wait) as waiting:
        listeners.wait_until_idle()
        engine.do("update pgflow.runs set watched = false")
        listeners.terminate()
        until(lambda: engine.run(awaited.run_id)["watched"])
        assert engine.run(gone.run_id)["watched"] is False
        engine.work()
        waiting.result(DEADLINE)


def test_a_server_that_is_gone_for_good_is_an_error(dsn: str, engine: Engine) -> None:
    where = [dsn]
    listener = Listener(lambda: opener(where[0])(), deaf, reconnect_timeout=0.1)
    observer = Observer()
    listener.subscribe(engine.start(), observer)
    until(lambda: observer.snapshots)
    where[0] = "host=/nonexistent"
    Listeners(engine).terminate()
    until(lambda: observer.errors)

    assert isinstance(observer.errors[0], ServerGoneError)
    assert isinstance(observer.errors[0].__cause__, psycopg.OperationalError)
    assert "gone for 0.1 seconds" in str(observer.errors[0])
    until(lambda: not any(thread.name == "pgflow-listener" for thread in threading.enumerate()))
    where[0] = dsn
    listener.subscribe(engine.start(), observer)
    until(lambda: len(observer.snapshots) > 1)
    listener.stop()


def test_where_nothing_arrives_runs_are_polled(
    dsn: str, engine: Engine, listeners: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind PgBouncer in transaction mode."""
    listener = Listener(opener(dsn), deaf)
    woken = threading.Semaphore(0)
    listener.listen_on_queues(["flow"], lambda: woken.release())
    until(lambda: "LISTEN delivers nothing" in caplog.text)
    observer = Observer()
    run_id = engine.start(watched=False)
    listener.subscribe(run_id, observer)
    until(lambda: observer.snapshots)
    engine.work()
    until(lambda: observer.snapshots[-1].run.status.is_terminal)

    assert observer.events == []
    assert engine.run(run_id)["watched"] is False
    assert woken.acquire(timeout=DEADLINE)
    listener.stop()


def test_the_tables_tell_what_no_event_has(dsn: str, engine: Engine, listeners: Listeners) -> None:
    connector = PsycopgConnector(dsn, check_interval=0.05)
    run = FlowClient(connector=connector).start("flow")
    with meanwhile(run.wait) as waiting:
        listeners.wait_for_statement("get_run_statuses")
        engine.do("update pgflow.runs set watched = false")  # so that nothing is sent
        engine.work()

        assert waiting.result(DEADLINE).status is RunStatus.COMPLETED
    connector.close()


def test_a_worker_is_woken_by_its_queues_and_by_a_reconnect(
    connector: PsycopgConnector, engine: Engine, listeners: Listeners
) -> None:
    woken = threading.Semaphore(0)
    subscription = connector.listen_on_queues(["flow"], lambda: woken.release())
    assert woken.acquire(timeout=DEADLINE), "when it is listened for"
    assert connector.sleep_on_queues(uuid4(), ["flow"], seconds=60) is None
    engine.start()
    assert woken.acquire(timeout=DEADLINE), "when there is a message"
    listeners.terminate()
    assert woken.acquire(timeout=DEADLINE), "when one may have been missed"
    subscription.cancel()
    wait_until_deaf(connector)


def test_listen_dsn_names_the_listener_s_own_way(dsn: str, engine: Engine) -> None:
    separate = psycopg.conninfo.make_conninfo(dsn, application_name="direct")
    with FlowClient(dsn, listen_dsn=separate) as client:
        with pytest.raises(TimeoutError):
            client.start("flow").wait(0.01)

        assert engine.rows("select from pg_stat_activity where application_name = 'direct'")

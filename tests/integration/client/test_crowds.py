"""Many callers at once: woken all of them, also across a crash of the server, and gone without a trace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
from attrs import frozen

from pgflow import migrations
from pgflow.client import FlowClient, FlowRun
from pgflow.connector import PsycopgConnector
from pgflow.embedded import EmbeddedServer
from pgflow.errors import WaitTimeoutError
from pgflow.events import RunCompleted, StepEvent
from pgflow.models import RunStatus
from tests.integration.client.listeners import Listeners, wait_until_deaf
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.server import crash
from tests.plugins.waiting import until

CROWD = 200
PATIENCE = 60.0


@frozen
class Held:
    """What a client holds of its process and of the server."""

    threads: frozenset[str]
    connections: int
    subscriptions: int

    @classmethod
    def by(cls, connector: PsycopgConnector, engine: Engine) -> Held:
        return cls(
            threads=frozenset(thread.name for thread in threading.enumerate()),
            connections=engine.value(
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and application_name in ('pgflow', 'pgflow listener')"
            ),
            subscriptions=len(connector._listener._registry.everyone()),
        )


@contextmanager
def crowd(runs: Sequence[FlowRun], call: Callable[[FlowRun], object]) -> Iterator[list[Future[object]]]:
    """Make a call for each run, all at the same time, in threads that are gone in the end."""
    with ThreadPoolExecutor(len(runs)) as executor:
        yield [executor.submit(call, run) for run in runs]


def wait_until_gone(connector: PsycopgConnector) -> None:
    """Return once a listener that nobody needs listens on nothing, and then is no more."""
    wait_until_deaf(connector)
    until(lambda: not any(thread.name == "pgflow-listener" for thread in threading.enumerate()), "a listener that left")


def watched(engine: Engine) -> int:
    count: int = engine.value("select count(*) from pgflow.runs where watched and status = 'started'")
    return count


def test_a_crowd_is_woken_and_leaves_nothing_behind(dsn: str, engine: Engine, listeners: Listeners) -> None:
    engine.define({"a": []})
    connector = PsycopgConnector(dsn, linger=1)
    client = FlowClient(connector=connector)
    runs = client.start_many("flow", range(CROWD))
    before = Held.by(connector, engine)
    with crowd(runs, lambda run: run.result(PATIENCE)) as waiting:
        until(lambda: watched(engine) == CROWD, "a crowd that is listened for")
        assert Held.by(connector, engine).subscriptions == CROWD
        assert len(listeners.queries()) == 1
        engine.work({"a": 7})

        assert [each.result(PATIENCE) for each in waiting] == [{"a": 7}] * CROWD
    wait_until_gone(connector)

    until(lambda: Held.by(connector, engine) == before, "as it was before")
    connector.close()
    until(lambda: Held.by(connector, engine).connections == 0, "a server that knows of nobody")


def test_a_crowd_that_gives_up_leaves_nothing_behind(dsn: str, engine: Engine) -> None:
    engine.define({"a": []})
    connector = PsycopgConnector(dsn, linger=1)
    client = FlowClient(connector=connector)
    runs = client.start_many("flow", range(CROWD))
    before = Held.by(connector, engine)
    heard: list[object] = []
    with crowd(runs, lambda run: run.wait(0.3)) as waiting:
        assert {type(each.exception(PATIENCE)) for each in waiting} == {WaitTimeoutError}
    with crowd(runs, lambda run: list(zip(range(1), run.events(), strict=False))) as looking:
        for each in looking:
            each.result(PATIENCE)
    for disconnect in [run.on(object_type, heard.append) for run in runs for object_type in (RunCompleted, StepEvent)]:
        disconnect()
    wait_until_gone(connector)
    until(lambda: Held.by(connector, engine) == before, "as it was before")
    assert not any(run._watch._changed.receivers or run._watch._receivers for run in runs)
    connector.close()


def test_no_wait_is_lost_when_the_server_crashes(own_server: EmbeddedServer) -> None:
    dsn = own_server.dsn()
    migrations.upgrade(dsn)

    def engine() -> Engine:
        connection: Connection = psycopg.connect(dsn, autocommit=True)
        return Engine(connection)

    before = engine()
    before.define({"a": []})
    with FlowClient(dsn) as client:
        runs = client.start_many("flow", range(CROWD))
        tasks = before.poll(CROWD, lease=600)
        with crowd(runs, lambda run: run.wait(PATIENCE).status) as waiting:
            until(lambda: watched(before) == CROWD, "a crowd that is listened for")
            before.complete_all((task, None) for task in tasks[:50])
            crash(own_server)
            between = engine()
            # Some end before the listener is back, and nobody is told; some when it may be.
            between.complete_all((task, None) for task in tasks[50:100])
            crash(own_server)
            after = engine()
            until(
                lambda: after.value(
                    "select count(*) from pg_stat_activity "
                    "where application_name = 'pgflow listener' and state = 'idle'"
                ),
                "a listener that is back",
            )
            after.complete_all((task, None) for task in tasks[100:])

            assert [each.result(PATIENCE) for each in waiting] == [RunStatus.COMPLETED] * CROWD
    assert after.violations() == set()
    for each in (before, between, after):
        each.connection.close()

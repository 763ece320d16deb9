"""Behind a real PgBouncer: in transaction mode it lends a session for a transaction, and LISTEN delivers nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from pgflow import migrations
from pgflow.client import FlowClient
from pgflow.connector import PsycopgConnector
from pgflow.dsl import Flow
from pgflow.engine.pool import Connection
from pgflow.engine.pool import connect as open_connection
from pgflow.events import RunCompleted
from pgflow.listener import probe
from pgflow.listener.session import ListenSession, Progress
from pgflow.models import RunStatus
from pgflow.worker import Worker
from tests.integration.client.listeners import Listeners
from tests.plugins.engine import Engine
from tests.plugins.pooler import PoolerFactory
from tests.plugins.waiting import DEADLINE, meanwhile, until


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)


@pytest.fixture
def pooled(pooler: PoolerFactory) -> str:
    """The way to the database through a PgBouncer in transaction mode."""
    return pooler()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe is given up sooner than a loaded machine would allow, which here never is too soon."""
    monkeypatch.setattr(probe, "_PATIENCE", 0.2)


def open_session(dsn: str) -> ListenSession:
    return ListenSession(open_connection(dsn, name="pgflow listener", prepare_threshold=5))


def test_a_pooler_is_noticed_and_a_direct_connection_is_none(pooler: PoolerFactory, dsn: str) -> None:
    for way, is_shared in ((dsn, False), (pooler(), True), (pooler("session"), True)):
        session = open_session(way)
        assert session.is_shared is is_shared
        session.close()


def test_many_threads_use_a_client_that_was_told_nothing(pooled: str, engine: Engine) -> None:
    """Prepared statements would be missing in one session, or there already in another."""
    with FlowClient(pooled) as client, ThreadPoolExecutor(8) as executor:
        runs = list(executor.map(lambda number: client.start("flow", number), range(200)))
        found = list(executor.map(lambda run: client.get_run(run.run_id).input, runs))
        many = client.start_many("flow", range(200))

    assert found == list(range(200))
    assert engine.value("select count(*) from pgflow.runs") == 200 + len(many)


def test_nothing_is_left_on_the_sessions_of_others(pooler: PoolerFactory, engine: Engine) -> None:
    database = engine.value("select current_database()")
    engine.do(f"""alter database "{database}" set statement_timeout = 54321""")
    pooled = pooler()
    with FlowClient(pooled) as client:
        waiters = [client.start("flow", number) for number in range(20)]
        for run in waiters:
            with pytest.raises(TimeoutError):
                run.wait(0.02)
        # As many transactions at once as there are sessions, so that each is looked at.
        others = [psycopg.connect(pooled, prepare_threshold=None) for _ in range(4)]
        seen = [
            other.execute(
                """select pg_backend_pid(), current_setting('statement_timeout'), current_setting('lock_timeout'),
                          (select count(*) from pg_prepared_statements),
                          (select count(*) from pg_listening_channels() channel where channel like 'pgflow:run:%')"""
            ).fetchone()
            for other in others
        ]
        for other in others:
            other.close()

    assert len({row[0] for row in seen if row}) == 4
    assert {row[1:] for row in seen if row} == {("54321ms", "0", 0, 0)}


def test_without_listen_dsn_everybody_is_told_by_one_query(
    pooled: str, engine: Engine, impatient: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    asked: list[tuple[float, int]] = []
    progress = ListenSession.progress

    def noted(session: ListenSession, run_ids: Sequence[UUID]) -> list[Progress]:
        asked.append((time.monotonic(), len(run_ids)))
        return progress(session, run_ids)

    monkeypatch.setattr(ListenSession, "progress", noted)
    with FlowClient(pooled) as client, ThreadPoolExecutor(50) as executor:
        runs = client.start_many("flow", range(50))
        waiting = [executor.submit(run.result, 3 * DEADLINE) for run in runs]
        until(lambda: asked and asked[-1][1] == 50, "a query for all")
        first = len(asked)
        until(lambda: "LISTEN delivers nothing" in caplog.text, "the verdict")
        until(lambda: len(asked) > 1 and asked[-1][0] - asked[-2][0] > 0.9, "a long pause")
        assert {count for _, count in asked[first:]} == {50}
        pauses = [after - before for (before, _), (after, _) in zip(asked[first:], asked[first + 1 :], strict=False)]
        assert pauses[0] < pauses[-1]
        engine.work({"a": 7})

        assert [each.result(DEADLINE) for each in waiting] == [{"a": 7}] * 50
    assert engine.value("select count(*) from pgflow.runs where watched") == 0


def test_receivers_and_events_come_by_polling_too(pooled: str, engine: Engine, impatient: None) -> None:
    with FlowClient(pooled) as client:
        run = client.start("flow")
        with meanwhile(lambda: list(run.events(DEADLINE))) as events:
            until(lambda: run._watch._subscription is not None)
            engine.work()

            assert isinstance(events.result(DEADLINE)[-1], RunCompleted)


def test_listen_dsn_gives_the_listener_a_direct_connection(
    pooled: str, dsn: str, engine: Engine, listeners: Listeners
) -> None:
    connector = PsycopgConnector(pooled, listen_dsn=dsn)
    run = FlowClient(connector=connector).start("flow")
    with meanwhile(run.result) as waiting:
        until(lambda: connector._listener._probe.verdict, "a probe that has arrived")
        listeners.wait_until_idle()
        assert engine.run(run.run_id)["watched"]
        engine.work({"a": 7})

        assert waiting.result(DEADLINE) == {"a": 7}
    connector.close()


def test_in_session_mode_notifications_are_found_to_arrive(pooler: PoolerFactory, engine: Engine) -> None:
    connector = PsycopgConnector(pooler("session"))
    run = FlowClient(connector=connector).start("flow")
    with meanwhile(run.result) as waiting:
        until(lambda: engine.run(run.run_id)["watched"], "a run that is watched after all")
        assert connector._listener._probe.verdict
        engine.work({"a": 7})

        assert waiting.result(DEADLINE) == {"a": 7}
    connector.close()


def test_a_notification_that_comes_with_an_answer_proves_nothing(
    pooler: PoolerFactory, engine: Engine, connect: Callable[..., Connection]
) -> None:
    """PgBouncer passes on what reaches the server's session while it is lent to us."""
    session = open_session(pooler(size=1))
    session.change(listen=["probe"])
    probing = probe.Probe(lambda channel: engine.do("select pg_notify('probe', '')"))
    other = Engine(connect(autocommit=False))
    other.do("select pg_advisory_xact_lock(1)")
    with meanwhile(lambda: session._connection.execute("select pg_advisory_xact_lock(1)")) as answer:
        until(
            lambda: engine.value(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
            ),
            "a statement that is under way",
        )
        probing.advance(session.answered)
        other.connection.rollback()
        answer.result(DEADLINE)
        session.answered += 1

    assert [notify.channel for notify in session.received()] == ["probe"]
    assert not probing.arrived(session.answered, is_shared=session.is_shared)
    assert probing.verdict is None
    session.close()


def test_a_run_that_ends_while_nobody_can_be_told(pooled: str, engine: Engine) -> None:
    with FlowClient(pooled) as client:
        run = client.get_run(engine.start())
        engine.fail(engine.poll_one(), "it broke")

        assert run.wait(DEADLINE).status is RunStatus.FAILED


def test_a_worker_finds_work_before_and_after_it_is_deaf(
    pooled: str, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    greeting: Flow[str] = Flow("greeting", input=str)

    @greeting.step
    def greet(run: str) -> str:
        return f"hello {run}"

    with Worker(greeting, pooled), FlowClient(pooled) as client:
        assert client.start(greeting, "you").result(DEADLINE) == {"greet": "hello you"}
        until(lambda: "LISTEN delivers nothing" in caplog.text, "the verdict")
        runs = client.start_many(greeting, map(str, range(20)))

        assert [run.result(DEADLINE) for run in runs] == [{"greet": f"hello {number}"} for number in range(20)]


def test_a_database_may_be_migrated_through_it(pooled: str, engine: Engine) -> None:
    migrations.downgrade(pooled, "base")
    migrations.upgrade(pooled)
    with psycopg.connect(pooled, prepare_threshold=None) as connection:
        migrations.check(connection)

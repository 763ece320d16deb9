"""The client of a project: one in a process, and in Django's transactions where there are any."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.test import AsyncClient as AsyncBrowser
from django.test import Client as Browser
from django.test import override_settings

from pgflow import FlowClient, RunStarted, Worker
from pgflow.contrib.django import DjangoWorker, get_client
from pgflow.errors import RunNotCommittedError, UnknownRunError
from tests.integration.django.conftest import leave, point_at
from tests.integration.django.shop.orders.flows import count_words, ship_order
from tests.integration.django.shop.orders.models import Order
from tests.plugins.databases import Connection
from tests.plugins.pooler import PoolerFactory
from tests.plugins.waiting import DEADLINE, until


@pytest.fixture
def client(dsn: str) -> FlowClient:
    get_client().register(ship_order)
    get_client().register(count_words)
    return get_client()


@pytest.fixture
def worker(client: FlowClient) -> Iterator[Worker]:
    with DjangoWorker() as worker:
        yield worker


def runs(database: Connection) -> int:
    return database.execute("select from pgflow.runs").rowcount


def test_a_process_has_one(client: FlowClient) -> None:
    found: list[FlowClient] = []
    threads = [threading.Thread(target=lambda: found.append(get_client())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {id(each) for each in found} == {id(client)}


def test_it_opens_nothing_before_it_is_used(dsn: str, database: Connection) -> None:
    get_client()

    others = "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    assert database.execute(others).rowcount == 0


def test_a_run_in_a_transaction_starts_with_its_commit(client: FlowClient, database: Connection) -> None:
    with transaction.atomic():
        run = client.start(ship_order, 1)
        assert runs(database) == 0
    assert runs(database) == 1
    assert run.refresh().status == "started"


def test_many_in_a_transaction_start_with_its_commit(client: FlowClient, database: Connection) -> None:
    with transaction.atomic():
        client.start_many(ship_order, [1, 2, 3])
        assert runs(database) == 0
    assert runs(database) == 3


def test_a_run_in_a_transaction_that_is_rolled_back_never_was(client: FlowClient, database: Connection) -> None:
    with transaction.atomic():
        run = client.start(ship_order, 1)
        transaction.set_rollback(True)

    assert runs(database) == 0
    with pytest.raises(UnknownRunError, match="rolled back"):
        run.wait(DEADLINE)


def test_a_savepoint_that_is_rolled_back_takes_its_run_along(client: FlowClient, database: Connection) -> None:
    with transaction.atomic():
        client.start(ship_order, 1)
        with transaction.atomic():
            client.start(ship_order, 2)
            transaction.set_rollback(True)

    assert database.execute("select input from pgflow.runs").fetchall() == [(1,)]


def test_out_of_transactions_a_run_starts_at_once(client: FlowClient, database: Connection) -> None:
    client.start(ship_order, 1)

    assert runs(database) == 1
    assert connection.connection is None, "Django's own connection was not needed"


def test_without_autocommit_everything_is_a_transaction(client: FlowClient, database: Connection) -> None:
    transaction.set_autocommit(False)
    client.start(ship_order, 1)
    assert runs(database) == 0

    transaction.commit()
    assert runs(database) == 1
    transaction.set_autocommit(True)


def test_a_connection_that_is_given_is_the_one_that_is_meant(client: FlowClient, database: Connection) -> None:
    with transaction.atomic():
        client.start(ship_order, 1, connection=database)
        assert runs(database) == 1
        transaction.set_rollback(True)
    assert runs(database) == 1


def test_a_flow_is_defined_in_the_transaction_too(dsn: str, database: Connection) -> None:
    with transaction.atomic():
        get_client().register(ship_order)
        get_client().start(ship_order, 1)
        transaction.set_rollback(True)

    assert database.execute("select from pgflow.flows").rowcount == 0


@pytest.mark.parametrize("way", ["wait", "result", "events", "on", "step"])
def test_waiting_in_the_transaction_says_at_once_what_to_do(client: FlowClient, way: str) -> None:
    with transaction.atomic():
        run = client.start(ship_order, 1)
        ways: dict[str, Callable[[], object]] = {
            "wait": run.wait,
            "result": run.result,
            "events": lambda: next(run.events()),
            "on": lambda: run.on(RunStarted, print),
            "step": run.step("ship").result,
        }
        with pytest.raises(RunNotCommittedError, match=r"transaction\.non_atomic_requests"):
            ways[way]()


def test_a_run_that_was_committed_before_can_be_waited_for_in_a_transaction(worker: Worker) -> None:
    order = Order.objects.create(amount=4)
    run = get_client().start(ship_order, order.pk)
    with transaction.atomic():
        assert run.wait(DEADLINE).status == "completed"


def test_a_view_answers_with_what_was_committed_and_run(worker: Worker, settings_with_atomic_requests: None) -> None:
    answer = Browser().get("/orders/out-of-transaction/")

    assert answer.json()["look"][0] == os.getpid()
    assert Order.objects.get().shipped


def test_a_view_in_a_transaction_can_start_and_cannot_wait(worker: Worker, settings_with_atomic_requests: None) -> None:
    run_id = Browser().get("/orders/").json()["run_id"]
    assert get_client().get_run(run_id).wait(DEADLINE).status == "completed"

    with pytest.raises(RunNotCommittedError, match=r"@transaction\.non_atomic_requests"):
        Browser().get("/orders/and-wait/")
    assert Order.objects.count() == 1, "the view's transaction was rolled back with it"


@pytest.fixture
def settings_with_atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def test_another_database_or_setting_is_another_client(client: FlowClient, dsn: str) -> None:
    assert get_client() is client
    with override_settings(PGFLOW={"POOL_SIZE": 3}):
        assert get_client() is not client

    client = get_client()
    point_at("dbname=elsewhere")
    assert get_client() is not client
    point_at(dsn)


def test_nothing_is_left_open_where_django_is_about_to_drop_the_database(
    client: FlowClient, database: Connection
) -> None:
    client.start(ship_order, 1)
    ours = "select from pg_stat_activity where datname = current_database() and application_name like 'pgflow%'"
    assert database.execute(ours).rowcount > 0

    with connection._nodb_cursor():
        until(lambda: database.execute(ours).rowcount == 0)
    get_client().start(ship_order, 2)
    assert runs(database) == 2


def test_a_forked_child_has_connections_of_its_own(client: FlowClient, database: Connection) -> None:
    client.start(ship_order, 1)
    child = os.fork()
    if child == 0:
        try:
            get_client().start(ship_order, 2)
        except BaseException:
            os._exit(1)
        os._exit(0)

    assert os.waitpid(child, 0)[1] == 0
    get_client().start(ship_order, 3)
    assert runs(database) == 3


def test_a_view_waits_under_asgi_too(worker: Worker) -> None:
    async def ask() -> Any:
        return (await AsyncBrowser().get("/orders/and-wait/")).json()

    assert list(async_to_sync(ask)()) == ["look"]


def test_django_may_go_through_a_pooler(
    pooler: PoolerFactory, client: FlowClient, database: Connection, dsn: str
) -> None:
    point_at(pooler())
    assert get_client() is not client
    with DjangoWorker():
        order = Order.objects.create(amount=4)
        with transaction.atomic():
            run = get_client().start(ship_order, order.pk)
            assert runs(database) == 0
        assert run.wait(3 * DEADLINE).status == "completed"
    leave()
    point_at(dsn)


def test_loading_a_project_imports_neither_sqlalchemy_nor_alembic(environment: dict[str, str]) -> None:
    program = "import django, sys; django.setup(); from pgflow.contrib.django import get_client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) & {"sqlalchemy", "alembic", "click", "flask", "rich"} == set()

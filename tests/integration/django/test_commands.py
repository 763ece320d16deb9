"""The commands of pgflow as commands of ``manage.py``."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import frozen
from django.core.management import CommandError, call_command

from pgflow import migrations
from pgflow.contrib.django import get_client
from pgflow.contrib.django.discovery import discover_flows
from tests.integration.django.conftest import manage
from tests.integration.django.shop.orders.flows import count_words, ship_order
from tests.integration.django.shop.orders.models import Order
from tests.plugins import django_project
from tests.plugins.databases import Connection
from tests.plugins.waiting import DEADLINE, until


@frozen
class WorkerProcess:
    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> int:
        """The exit status, once it has ended."""
        try:
            return self.process.wait(2 * DEADLINE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not end; its log:\n{self.log.read_text()}") from None


StartWorker: TypeAlias = Callable[..., WorkerProcess]


@pytest.fixture
def start_worker(environment: dict[str, str], database: Connection, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts ``manage.py pgflow_worker`` and returns when it works."""
    started: list[WorkerProcess] = []

    def start(*arguments: str, **variables: str) -> WorkerProcess:
        log = tmp_path / f"worker-{len(started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", str(django_project.MANAGE), "pgflow_worker", *arguments],
                env={**environment, **variables},
                stdout=output,
                stderr=output,
            )
        started.append(WorkerProcess(process, log))
        known = "select from pgflow.workers"
        until(lambda: process.poll() is not None or database.execute(known).rowcount == len(started), timeout=30)
        assert process.poll() is None, log.read_text()
        return started[-1]

    yield start
    for worker in started:
        worker.process.kill()
        worker.process.wait()


def test_flows_are_found_in_the_applications() -> None:
    assert discover_flows() == [ship_order, count_words]


@pytest.mark.parametrize("options", [(), ("--processes", "--concurrency", "2")], ids=["threads", "processes"])
def test_a_worker_serves_them_with_the_orm(start_worker: StartWorker, options: tuple[str, ...]) -> None:
    worker = start_worker(*options)
    order = Order.objects.create(amount=4)
    output = get_client().start(ship_order, order.pk).result(timeout=3 * DEADLINE)

    order.refresh_from_db()
    assert order.shipped
    assert (output["look"][0] == worker.process.pid) == (options == ())

    worker.process.send_signal(signal.SIGTERM)
    assert worker.ended() == 0, worker.log.read_text()


def test_a_worker_serves_those_that_are_named(start_worker: StartWorker, database: Connection) -> None:
    start_worker("tests.integration.django.shop.orders.flows:count-words")

    assert database.execute("select flow_slug from pgflow.flows").fetchall() == [("count-words",)]


@pytest.mark.parametrize("options", [("--concurrency", "1"), ("--processes", "--concurrency", "1")])
def test_a_connection_of_django_s_that_is_lost_between_handlers_fails_none(
    start_worker: StartWorker, database: Connection, options: tuple[str, ...]
) -> None:
    start_worker(*options, SHOP_KEEP_CONNECTIONS="yes")
    order = Order.objects.create(amount=4)
    _, backend = get_client().start(ship_order, order.pk).result(timeout=3 * DEADLINE)["look"]
    assert database.execute("select pg_terminate_backend(%s)", [backend]).fetchone() == (True,)
    run = get_client().start(ship_order, order.pk).wait(timeout=3 * DEADLINE)

    assert run.status == "completed", run.error_message
    assert database.execute("select max(attempts_count) from pgflow.step_tasks").fetchone() == (1,)


def test_nothing_of_django_s_is_held_between_tasks(start_worker: StartWorker, database: Connection) -> None:
    start_worker()
    order = Order.objects.create(amount=4)
    _, backend = get_client().start(ship_order, order.pk).result(timeout=DEADLINE)["look"]

    left = "select from pg_stat_activity where pid = %s"
    until(lambda: database.execute(left, [backend]).rowcount == 0, "the end of the handler's connection")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("pgflow_worker", "no.such.module"), 1, "CommandError: there is no module 'no.such.module' here or installed"),
        (("pgflow_worker", "--concurrency", "0"), 2, "argument --concurrency: 0 is not in the range x>=1."),
        (("pgflow_worker", "--log-level", "loud"), 2, "argument --log-level: 'loud' is not one of"),
        (
            ("pgflow_migrate", "--revision", "head", "--downgrade", "base"),
            1,
            "CommandError: --revision goes up and --downgrade goes down: give one of them",
        ),
        (("pgflow_migrate", "--revision", "0999"), 1, "CommandError: Can't locate revision identified by '0999'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    environment: dict[str, str], arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = manage(*arguments, environment=environment)

    assert done.returncode == status
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_project_without_flows_is_told_where_they_belong(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgflow.contrib.django.management.commands.pgflow_worker.discover_flows", list)
    with pytest.raises(CommandError, match=r"no application has a flow in a flows\.py"):
        call_command("pgflow_worker")


def test_the_schema_can_be_taken_to_any_revision(blank_dsn: str, dsn: str) -> None:
    from tests.integration.django.conftest import point_at

    point_at(blank_dsn)
    said = io.StringIO()
    with pytest.raises(CommandError, match="has no pgflow schema"):
        call_command("pgflow_migrate", "--status", stdout=said)
    call_command("pgflow_migrate", "--revision", "0002", stdout=said)
    call_command("pgflow_migrate", stdout=said)
    call_command("pgflow_migrate", "--status", stdout=said)
    call_command("pgflow_migrate", "--downgrade", "base", stdout=said)

    assert said.getvalue().splitlines() == [
        f"database: no schema; this version of pgflow: {migrations.head()}",
        "the database is at revision 0002_events",
        f"the database is at revision {migrations.head()}",
        f"database: {migrations.head()}; this version of pgflow: {migrations.head()}",
        "the database has no pgflow schema any more",
    ]


def test_a_script_can_be_written_instead(dsn: str) -> None:
    script = io.StringIO()
    call_command("pgflow_migrate", "--sql", stdout=script)

    assert "create table pgflow.runs" in script.getvalue()

"""The application's own tests, for Django's runner."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from pgflow.contrib.django import DjangoWorker, get_client
from pgflow.contrib.django.models import DefinedFlow, Run
from pgflow.errors import RunNotCommittedError
from pgflow.testing import run_flow
from tests.integration.django.shop.orders.flows import ship_order
from tests.integration.django.shop.orders.models import Order


class InATransaction(TestCase):
    def test_a_flow_runs_in_the_test_s_transaction(self) -> None:
        order = Order.objects.create(amount=5)
        run = run_flow(ship_order, order.pk, connection=connection)
        order.refresh_from_db()

        assert order.shipped
        assert run.status == "completed"

    def test_nothing_of_it_is_left(self) -> None:
        assert Order.objects.count() == 0
        assert Run.objects.count() == 0
        assert DefinedFlow.objects.count() == 0

    def test_a_view_starts_a_run_that_nobody_else_sees(self) -> None:
        get_client().register(ship_order)
        answer = self.client.get("/orders/")
        assert str(Run.objects.get().run_id) == answer.json()["run_id"]

        with pytest.raises(RunNotCommittedError, match=r"pgflow\.testing\.run_flow"):
            self.client.get("/orders/and-wait/")


class WithCommits(TransactionTestCase):
    def test_a_worker_and_a_view_meet_in_the_test_s_database(self) -> None:
        with DjangoWorker():
            answer = self.client.get("/orders/and-wait/")

        assert list(answer.json()) == ["look"]
        assert Order.objects.get().shipped
        assert Run.objects.count() == 1
        delete_runs()

    def test_flush_leaves_the_schema_alone(self) -> None:
        get_client().register(ship_order)
        with transaction.atomic():
            get_client().start(ship_order, 1)
        self._fixture_teardown()  # type: ignore[attr-defined]

        assert Order.objects.count() == 0
        assert Run.objects.count() == 1
        delete_runs()


def delete_runs() -> None:
    """Delete what Django does not: the runs of a flow, and the flow."""
    with connection.cursor() as cursor:
        cursor.execute("select pgflow.delete_flow('ship-order')")
    assert Run.objects.count() == 0

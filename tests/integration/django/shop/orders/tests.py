"""The application's own tests, for Django's runner."""

from __future__ import annotations

from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase

from pgflow import Worker
from pgflow.contrib.django import conf, get_client
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

        self.assertTrue(order.shipped)
        self.assertEqual(run.status, "completed")

    def test_nothing_of_it_is_left(self) -> None:
        self.assertEqual(Order.objects.count(), 0)
        self.assertEqual(Run.objects.count(), 0)
        self.assertEqual(DefinedFlow.objects.count(), 0)

    def test_a_view_starts_a_run_that_nobody_else_sees(self) -> None:
        get_client().register(ship_order)
        answer = self.client.get("/orders/")
        self.assertEqual(str(Run.objects.get().run_id), answer.json()["run_id"])

        with self.assertRaisesRegex(RunNotCommittedError, r"pgflow\.testing\.run_flow"):
            self.client.get("/orders/and-wait/")


class WithCommits(TransactionTestCase):
    def test_a_worker_and_a_view_meet_in_the_test_s_database(self) -> None:
        get_client().register(ship_order)
        with Worker(ship_order, conf.dsns_of(conf.configuration())[0]):
            answer = self.client.get("/orders/and-wait/")

        self.assertEqual(list(answer.json()), ["look"])
        self.assertTrue(Order.objects.get().shipped)
        self.assertEqual(Run.objects.count(), 1)

    def test_flush_leaves_the_schema_alone(self) -> None:
        get_client().register(ship_order)
        with transaction.atomic():
            get_client().start(ship_order, 1)
        self._fixture_teardown()  # type: ignore[attr-defined]

        self.assertEqual(Order.objects.count(), 0)
        # Runs are pgflow's to delete.
        with connection.cursor() as cursor:
            cursor.execute("select pgflow.delete_flow('ship-order')")
        self.assertEqual(Run.objects.count(), 0)

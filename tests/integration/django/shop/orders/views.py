"""The views of the application."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseForbidden, JsonResponse

from pgflow.contrib.django import get_client, stream_run
from tests.integration.django.shop.orders.flows import ship_order
from tests.integration.django.shop.orders.models import Order


def place_order(request: HttpRequest) -> HttpResponseBase:
    """Answer at once."""
    with transaction.atomic():
        order = Order.objects.create(amount=3)
        run = get_client().start(ship_order, order.pk)
    return JsonResponse({"run_id": str(run.run_id)})


def place_order_and_wait(request: HttpRequest) -> HttpResponseBase:
    """Block for the result."""
    with transaction.atomic():
        order = Order.objects.create(amount=3)
        run = get_client().start(ship_order, order.pk)
    return JsonResponse(run.result(timeout=20))


@transaction.non_atomic_requests
def place_order_out_of_transaction(request: HttpRequest) -> HttpResponseBase:
    """The same, whatever ATOMIC_REQUESTS says."""
    return place_order_and_wait(request)


def follow(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """Stream what happens in a run, to somebody who has ordered something."""
    if not Order.objects.exists():
        return HttpResponseForbidden()
    return stream_run(request, run_id, heartbeat=float(request.GET.get("heartbeat", "15")))


def place_order_and_follow(request: HttpRequest) -> HttpResponseBase:
    """Stream what happens in a run that is started here."""
    order = Order.objects.create(amount=3)
    return stream_run(request, get_client().start(ship_order, order.pk))

"""The flows of the application; the worker finds them here."""

from __future__ import annotations

import os

from django.db import connection

from pgflow import Flow
from tests.integration.django.shop.orders.models import Order

ship_order: Flow[int] = Flow("ship-order", input=int)
count_words: Flow[str] = Flow("count-words", input=str, max_attempts=1)


@ship_order.step
def ship(run: int) -> int:
    """Ship the order with this id."""
    order = Order.objects.get(pk=run)
    order.shipped = True
    order.save()
    return int(order.amount)


@ship_order.step(depends_on=[ship])
def look(ship: int) -> list[int]:
    """Where this ran: the process, and Django's connection of it."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return [os.getpid(), cursor.fetchone()[0]]


@count_words.step
def split(run: str) -> list[str]:
    """The words of a text."""
    return run.split()


@count_words.step(depends_on=[split], fanout=True)
def measure(word: str) -> int:
    """The length of a word."""
    if word == "unlucky":
        raise ValueError("a <b>word</b> that nobody can measure")
    return len(word)

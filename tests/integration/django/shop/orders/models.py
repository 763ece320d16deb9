"""What the project sells."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """An order."""

    amount = models.IntegerField()
    shipped = models.BooleanField(default=False)

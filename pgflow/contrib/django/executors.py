"""What runs handlers in a Django project: between `close_old_connections`, as Django runs its views.

A connection of Django's that was lost, or is older than ``CONN_MAX_AGE``, so fails no handler but the one that had it,
and a thread that waits for its next task holds none longer than the project says.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

from pgflow.worker.processes import HandlerProcesses
from pgflow.worker.threads import HandlerThreads

__all__ = ["DjangoProcesses", "DjangoThreads"]

P = ParamSpec("P")
T = TypeVar("T")


class DjangoThreads(HandlerThreads):
    """`HandlerThreads` for handlers that use the ORM."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn(*args, **kwargs)`` and return its future."""
        return super().submit(_with_fresh_connections, fn, *args, **kwargs)


class DjangoProcesses(HandlerProcesses):
    """`HandlerProcesses` for handlers that use the ORM."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn(*args, **kwargs)`` and return its future."""
        return super().submit(_with_fresh_connections, fn, *args, **kwargs)


def _with_fresh_connections(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    close_old_connections()
    try:
        return fn(*args, **kwargs)
    finally:
        close_old_connections()

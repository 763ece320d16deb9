"""What a forked child must forget: locks that another thread held, threads that do not exist in it, and connections
that are the parent's.

An inherited connection is kept and never closed: closing it would end the parent's session.
"""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet

__all__ = ["ForkAware", "forget_after_fork", "keep"]


class ForkAware(Protocol):
    """Something with locks, threads or connections."""

    def after_fork(self) -> None:
        """Start afresh; called in the child, which has one thread."""


_aware: WeakSet[Any] = WeakSet()
_kept: list[object] = []


def forget_after_fork(thing: ForkAware) -> None:
    """Have ``thing.after_fork`` called in every child for as long as it lives."""
    _aware.add(thing)


def keep(*inherited: object) -> None:
    """Hold on to what belongs to the parent, so that no finalizer of it ever runs in this process."""
    _kept.extend(inherited)


def _after_fork() -> None:
    for thing in list(_aware):
        thing.after_fork()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_after_fork)

"""Who listens for what: the one thing that the listener's thread and its callers share, behind one lock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from attrs import define, field

from pgflow.abc import RunObserver

__all__ = [
    "AnySubscription",
    "QueueSubscription",
    "Registry",
    "RunSubscription",
    "queue_channel",
    "run_channel",
    "tell",
]

logger = logging.getLogger(__name__)


def tell(call: Callable[..., None], *arguments: Any) -> None:
    """Call a subscriber; whatever it does wrong, the others still hear."""
    try:
        call(*arguments)
    except Exception:
        logger.exception("a subscriber of the listener failed")


def run_channel(run_id: UUID) -> str:
    """Return the channel on which a watched run notifies."""
    return f"pgflow:run:{run_id}"


def queue_channel(flow_slug: str) -> str:
    """Return the channel on which a queue notifies the workers that sleep on it."""
    return f"pgflow:queue:{flow_slug}"


@define(eq=False)
class RunSubscription:
    """One observer of one run."""

    _registry: Registry
    run_id: UUID
    observer: RunObserver
    #: Whether the observer has had a snapshot: events that come before it are in it.
    is_primed: bool = field(default=False, init=False)

    @property
    def channels(self) -> tuple[str, ...]:
        """What to listen on."""
        return (run_channel(self.run_id),)

    def cancel(self) -> None:
        """Stop listening; idempotent."""
        self._registry.discard(self)

    def fail(self, error: Exception) -> None:
        """Stop listening and tell the observer why."""
        self.cancel()
        tell(self.observer.on_error, error)


@define(eq=False)
class QueueSubscription:
    """One worker that sleeps on queues."""

    _registry: Registry
    channels: tuple[str, ...]
    wake: Callable[[], None]

    def cancel(self) -> None:
        """Stop listening; idempotent."""
        self._registry.discard(self)


AnySubscription: TypeAlias = RunSubscription | QueueSubscription
"""Whoever listens, for whatever."""


class Registry:
    """All subscriptions by channel, and what has changed since the listener's thread last looked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_channel: dict[str, list[AnySubscription]] = {}
        self._fresh: list[AnySubscription] = []
        self._stale: set[str] = set()

    def add(self, subscription: AnySubscription) -> None:
        """Enter a subscription, to be listened for."""
        with self._lock:
            for channel in subscription.channels:
                self._by_channel.setdefault(channel, []).append(subscription)
            self._fresh.append(subscription)

    def discard(self, subscription: AnySubscription) -> None:
        """Remove a subscription; idempotent."""
        with self._lock:
            for channel in subscription.channels:
                here = self._by_channel.get(channel, [])
                if subscription in here:
                    here.remove(subscription)
                    if not here:
                        del self._by_channel[channel]
                        self._stale.add(channel)

    def renew(self, subscriptions: Iterable[AnySubscription] | None = None) -> None:
        """Treat subscriptions as if they had just been added; all of them where none are given."""
        with self._lock:
            self._fresh = [*self._fresh, *subscriptions] if subscriptions is not None else self._all()

    def take_fresh(self) -> list[AnySubscription]:
        """Return what was added, and is still there, since this was last asked."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
            return [each for each in dict.fromkeys(fresh) if self._holds(each)]

    def take_stale(self) -> set[str]:
        """Return the channels that nobody listens on any more, since this was last asked."""
        with self._lock:
            stale, self._stale = self._stale, set()
            return {channel for channel in stale if channel not in self._by_channel}

    def has_stale(self) -> bool:
        """Whether `take_stale` may return something."""
        return bool(self._stale)

    def on(self, channel: str) -> Sequence[AnySubscription]:
        """Return who listens on a channel."""
        with self._lock:
            return tuple(self._by_channel.get(channel, ()))

    def everyone(self) -> list[AnySubscription]:
        """Return every subscription."""
        with self._lock:
            return self._all()

    def clear(self) -> list[AnySubscription]:
        """Remove every subscription and return them."""
        with self._lock:
            everyone = self._all()
            self._stale.update(self._by_channel)
            self._by_channel.clear()
            return everyone

    def __bool__(self) -> bool:
        return bool(self._by_channel)

    def _all(self) -> list[AnySubscription]:
        return list(dict.fromkeys(each for here in self._by_channel.values() for each in here))

    def _holds(self, subscription: AnySubscription) -> bool:
        return any(subscription in self._by_channel.get(channel, ()) for channel in subscription.channels)

"""What one listening session does for its subscribers, whenever the listener's thread comes round.

Admit the new ones (LISTEN, then watch, which gives their first snapshot), compare from time to time what the tables say
with what the subscribers know, and hand out what has arrived. An event that says how something has ended, or that did
not fit into its notification, is replaced by a snapshot, and so is everything of that run that arrived after it: the
snapshot shows it all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import psycopg
from attrs import define, field

from pgflow.engine.calls import translated
from pgflow.errors import NotJsonError, UnknownRunError
from pgflow.events import RunCompleted, RunFailed, StepCompleted, StepFailed, from_notification
from pgflow.listener.probe import Probe
from pgflow.listener.session import ListenSession, Shown
from pgflow.listener.subscriptions import (
    AnySubscription,
    QueueSubscription,
    Registry,
    RunSubscription,
    run_channel,
    tell,
)

__all__ = ["Delivery"]

logger = logging.getLogger(__name__)

# Seconds. UNLISTENs wait for company, usually the next LISTEN; so does a run that somebody has locked.
_UNLISTEN_AFTER = 0.2
_RETRY_LOCKED_AFTER = 0.1
# Where nothing arrives, runs are polled: first at once, then less and less often, and never most of the time.
_FIRST_POLL = 0.02
_LAST_POLL = 1.0
_POLL_GROWTH = 1.5
_POLL_SHARE = 4

_ENDS = (RunCompleted, RunFailed, StepCompleted, StepFailed)


@define(eq=False)
class Delivery:
    """One session's work; used by the listener's thread alone."""

    _session: ListenSession
    _registry: Registry
    _probe: Probe
    #: Seconds between comparisons with the tables while notifications arrive.
    _check_interval: float
    _check_at: float = field(factory=lambda: time.monotonic() + _FIRST_POLL, init=False)
    _poll_interval: float = field(default=_FIRST_POLL, init=False)
    _unlisten_at: float | None = field(default=None, init=False)
    _locked: list[RunSubscription] = field(factory=list, init=False)
    _retry_at: float = field(default=0.0, init=False)

    def step(self) -> float | None:
        """Do all that is due and return the seconds until something is, None if that is up to others.

        :raises psycopg.Error: the connection is lost.
        """
        self._check()
        self._admit()
        self._tidy()
        # Last: reading for anything else may have brought notifications with it.
        self._deliver()
        return self._until_due()

    @property
    def _is_deaf(self) -> bool:
        """Whether to do without LISTEN: where it is known to deliver nothing, and on what is lent until it does."""
        verdict = self._probe.verdict
        return verdict is False or (verdict is None and self._session.is_shared)

    def _admit(self) -> None:
        if self._locked and time.monotonic() >= self._retry_at:
            self._registry.renew(self._locked)
            self._locked = []
        fresh = self._registry.take_fresh()
        if not fresh:
            return
        try:
            probe = (self._probe.channel,) if self._probe.verdict is None else ()
            channels = [] if self._is_deaf else [channel for each in fresh for channel in each.channels]
            self._session.change(listen=[*channels, *probe], unlisten=self._registry.take_stale())
            self._watch([each for each in fresh if isinstance(each, RunSubscription)])
        except psycopg.Error as exc:
            if self._session.is_lost(exc):
                raise
            self._refuse(fresh, translated(exc) or exc)
        # What was sent before the LISTEN was not heard.
        self._wake(each for each in fresh if isinstance(each, QueueSubscription))
        self._poll_soon()

    def _watch(self, fresh: Sequence[RunSubscription]) -> None:
        run_ids = list({each.run_id for each in fresh})
        if not run_ids:
            return
        locked: list[UUID] = []
        if self._is_deaf:
            found = self._session.snapshots(run_ids)
        else:
            found, locked = self._session.watch(run_ids)
        for subscription in fresh:
            if subscription.run_id in found:
                subscription.is_primed = True
                _show(subscription, found[subscription.run_id])
            elif subscription.run_id in locked:
                self._locked.append(subscription)
                self._retry_at = time.monotonic() + _RETRY_LOCKED_AFTER
            else:
                subscription.fail(UnknownRunError(f"there is no run {subscription.run_id}"))

    def _refuse(self, subscriptions: Iterable[AnySubscription], error: Exception) -> None:
        for subscription in subscriptions:
            if isinstance(subscription, RunSubscription):
                subscription.fail(error)

    def _wake(self, subscriptions: Iterable[QueueSubscription]) -> None:
        for subscription in subscriptions:
            tell(subscription.wake)

    def _deliver(self) -> None:
        if self._probe.advance(self._session.answered):
            self._unlisten_soon()
        incomplete = self._hand_out()
        while incomplete:
            self._show_all(self._session.snapshots(list(incomplete)))
            incomplete = self._hand_out()

    def _hand_out(self) -> set[UUID]:
        incomplete: set[UUID] = set()
        for notify in self._session.received():
            if notify.channel == self._probe.channel:
                was_deaf = self._is_deaf
                if not self._probe.arrived(self._session.answered, is_shared=self._session.is_shared):
                    continue
                if was_deaf:
                    # Who came meanwhile is polled for, and has not been listened for.
                    self._registry.renew()
                self._check_at = time.monotonic() + self._check_interval
                self._unlisten_soon()
                continue
            subscriptions = self._registry.on(notify.channel)
            self._wake(each for each in subscriptions if isinstance(each, QueueSubscription))
            followers = [each for each in subscriptions if isinstance(each, RunSubscription) and each.is_primed]
            if not followers or followers[0].run_id in incomplete:
                continue
            event = from_notification(notify.payload)
            # Anybody may notify on any channel: how something has ended is taken from the tables alone.
            if event is None or event.run_id != followers[0].run_id or isinstance(event, _ENDS):
                incomplete.add(followers[0].run_id)
                continue
            for follower in followers:
                tell(follower.observer.on_event, event)
        return incomplete

    def _show_all(self, found: Mapping[UUID, Shown]) -> None:
        for run_id, shown in found.items():
            for follower in self._registry.on(run_channel(run_id)):
                if isinstance(follower, RunSubscription) and follower.is_primed:
                    _show(follower, shown)

    def _followers(self) -> list[RunSubscription]:
        return [each for each in self._registry.everyone() if isinstance(each, RunSubscription) and each.is_primed]

    def _check(self) -> None:
        began = time.monotonic()
        if began < self._check_at:
            return
        try:
            moved = self._compare(self._followers())
        except psycopg.Error as exc:
            if self._session.is_lost(exc):
                raise
            logger.warning("the awaited runs could not be compared with the tables: %s", exc)
            moved = False
        now = time.monotonic()
        if self._probe.verdict:
            self._check_at = now + self._check_interval
            return
        if self._is_deaf:
            self._wake(each for each in self._registry.everyone() if isinstance(each, QueueSubscription))
        self._poll_interval = _FIRST_POLL if moved else min(self._poll_interval * _POLL_GROWTH, _LAST_POLL)
        self._check_at = now + max(self._poll_interval, (now - began) * _POLL_SHARE)

    def _compare(self, followers: Sequence[RunSubscription]) -> bool:
        """Catch up where the tables are ahead of a subscriber; return whether they were anywhere."""
        if not followers:
            return False
        progress = {each.run_id: each for each in self._session.progress(list({each.run_id for each in followers}))}
        behind: set[UUID] = set()
        for follower in followers:
            known = progress.get(follower.run_id)
            if known is None:
                follower.fail(UnknownRunError(f"run {follower.run_id} was deleted while it was followed"))
            elif known.status.is_terminal or known.version > follower.observer.version:
                behind.add(follower.run_id)
        self._show_all(self._session.snapshots(list(behind)))
        return bool(behind)

    def _poll_soon(self) -> None:
        if not self._probe.verdict:
            self._poll_interval = _FIRST_POLL
            self._check_at = min(self._check_at, time.monotonic() + _FIRST_POLL)

    def _tidy(self) -> None:
        if self._registry.has_stale() and self._unlisten_at is None:
            self._unlisten_soon()
        if self._unlisten_at is not None and time.monotonic() >= self._unlisten_at:
            self._unlisten_at = None
            # Where it may just be late it is still listened for, unless that burdens a session of others.
            is_settled = self._probe.verdict or (self._probe.verdict is False and self._session.is_shared)
            probe = (self._probe.channel,) if is_settled else ()
            self._session.change(unlisten=[*self._registry.take_stale(), *probe])

    def _unlisten_soon(self) -> None:
        self._unlisten_at = self._unlisten_at or time.monotonic() + _UNLISTEN_AFTER

    def _until_due(self) -> float | None:
        due = [self._check_at] if self._registry else []
        if self._registry.has_stale():
            self._unlisten_soon()
        if self._unlisten_at is not None:
            due.append(self._unlisten_at)
        if self._locked:
            due.append(self._retry_at)
        return max(0.0, min(due) - time.monotonic()) if due else None


def _show(follower: RunSubscription, shown: Shown) -> None:
    if isinstance(shown, NotJsonError):
        follower.fail(shown)
    else:
        tell(follower.observer.on_snapshot, shown)

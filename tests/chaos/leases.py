"""Whether every lease that was lost was lost for a reason: what the extension of leases is for.

No tolerance is involved. Two things are held against what was measured:

- A holder whose extension was acknowledged has the task for a lease from then on. Nobody may take it sooner, whatever
  happens to the holder.
- A holder who did not extend in time was prevented: it was killed, suspended, cut off or without a server, or its
  process was provably kept from running, or the database from answering, for most of what a lease leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.history import Attempt, Call, History, TaskChange

#: The share of a lease within which one lateness of a live holder cannot lose it: it extends after each third, so two
#: thirds are left; less what passes unseen between two looks of its process at the clock.
_SPARE = 0.5
#: What the worker's thread for leases is busy with.
_UPKEEP = ("extend", "heartbeat")
#: What the engine adds to a step's timeout, beyond which no lease is extended.
_AFTER_TIMEOUT = 5


def lost_leases(history: History) -> Iterator[str]:
    """Return what was wrong with each attempt that the engine took from a holder who had not reported."""
    for changes in history.task_changes.values():
        for held, taken in pairwise(changes):
            if taken.follows_a_lost_lease:
                yield from _judge(history, held, taken)


def _judge(history: History, held: TaskChange, taken: TaskChange) -> Iterator[str]:
    name = f"attempt {held.attempts_count} at {held.task.step_slug}[{held.task.task_index}] of run {held.task.run_id}"
    since, until = _held_from(history, held, taken)
    if taken.at < until:
        yield (
            f"{name} was taken from its holder {until - taken.at:.3f} s before the end of the lease"
            f" that it had been granted {taken.at - since:.3f} s before"
        )
    elif not any(mishap.befell(held.worker, since, taken.at) for mishap in history.mishaps):
        lost = _time_lost(history, held, since, taken.at)
        if lost < _SPARE * history.lease:
            yield (
                f"{name} lost its lease, though nothing had happened to its holder since it had been granted"
                f" {taken.at - since:.3f} s before; only {lost:.3f} s of that were measured as lost"
            )


def _held_from(history: History, held: TaskChange, taken: TaskChange) -> tuple[float, float]:
    """When the last lease was granted that was acknowledged before the taker came, and until when it lasts.

    The moments are the earliest possible ones: the call's beginning, or the claim's.
    """
    since = held.began
    for call in _calls(history, held):
        in_time = call.ended is not None and call.ended < taken.began
        if call.kind == "extend" and in_time and Attempt(held.task, held.token) in call.accepted:
            since = max(since, call.began)
    until = since + history.lease
    timeout = history.timeouts.get((history.flow_of.get(held.task.run_id, ""), held.task.step_slug))
    if timeout is not None and since > held.began:
        until = min(until, held.began + timeout + _AFTER_TIMEOUT)
    return since, until


def _calls(history: History, held: TaskChange) -> list[Call]:
    return history.calls_about.get(Attempt(held.task, held.token), [])


def _time_lost(history: History, held: TaskChange, since: float, until: float) -> float:
    """Seconds for which the holder's process stood still or its upkeep waited for the database."""
    spans = [(stall.began, stall.ended) for stall in history.stalls if stall.worker == held.worker]
    busy = [call for call in history.calls if call.worker == held.worker and call.kind in _UPKEEP]
    claims = [call for call in _calls(history, held) if call.kind == "claim"]  # before it ended nobody held the task
    spans += [(call.began, until if call.ended is None else call.ended) for call in [*busy, *claims]]
    lost, reached = 0.0, since
    for began, ended in sorted(spans):  # what overlaps counts once
        began, ended = max(began, reached), min(ended, until)
        if ended > began:
            lost += ended - began
            reached = ended
    return lost

"""What an experiment did and found, for people."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.experiment import Findings
from tests.chaos.history import History

_MOST_SHOWN = 40


def lines(findings: Findings) -> Iterator[str]:
    """The figures, and then what is wrong, if anything is."""
    history = findings.history
    yield "done: " + ", ".join(f"{count} {what}" for what, count in sorted(findings.done.items()))
    ended = Counter(run.status for run in history.runs)
    changes = [change for each in history.task_changes.values() for change in each]
    yield (
        f"runs: {len(history.runs)} in {findings.lasted:.0f} s, "
        + ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
        + f"; tasks: {len(history.tasks)}; attempts: {sum(change.starts for change in changes)}; "
        f"events: {sum(map(len, history.events.values()))}"
    )
    yield (
        f"attempts lost with their workers: {sum(change.follows_a_lost_lease for change in changes)}; "
        f"handed back: {_handed_back(history)}; late reports ignored: {_ignored(history)}"
    )
    yield _waits("tasks of killed workers ran again", takeovers(history), history.lease)
    yield _waits("  where the server stayed", takeovers(history, server_stayed=True), history.lease)
    for violation in findings.violations[:_MOST_SHOWN]:
        yield f"WRONG: {violation}"
    if len(findings.violations) > _MOST_SHOWN:
        yield f"… and {len(findings.violations) - _MOST_SHOWN} more"
    yield f"violations: {len(findings.violations)}"


def takeovers(history: History, *, server_stayed: bool = False) -> list[float]:
    """Seconds from the kill of a worker until each task that it held ran again, in ascending order.

    With ``server_stayed``, only where the server was not restarted in between.
    """
    kills = [mishap for mishap in history.mishaps if mishap.kind == "kill"]
    restarts = [mishap for mishap in history.mishaps if mishap.kind == "restart"]
    waits = []
    for changes in history.task_changes.values():
        for held, taken in pairwise(changes):
            for kill in kills:
                was_held = held.starts and taken.starts and kill.befell(held.worker, held.at, taken.at)
                disturbed = any(each.befell(None, kill.began, taken.at) for each in restarts)
                if was_held and not (server_stayed and disturbed):
                    waits.append(taken.at - kill.began)
    return sorted(waits)


def _waits(what: str, waits: list[float], lease: float) -> str:
    if not waits:
        return f"{what}: none"
    within = sum(wait <= lease + 1 for wait in waits)
    return (
        f"{what} after {statistics.median(waits):.2f} s at the median, {waits[-1]:.2f} s at most; "
        f"{within} of {len(waits)} within the lease of {lease:g} s and a second"
    )


def _handed_back(history: History) -> int:
    return sum(len(call.accepted) for call in history.calls if call.kind == "release")


def _ignored(history: History) -> int:
    return sum(len(call.ignored) for call in history.calls if call.kind in ("complete", "fail", "release"))

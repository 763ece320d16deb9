"""Showing how far a run is while it is waited for: events say when to look, and what changes between them is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from pgflow.client.drawing import drawn
from pgflow.graph import FlowGraph, GraphStep
from pgflow.graph.progress import Progress, View

if TYPE_CHECKING:
    from pgflow.client.run import FlowRun

__all__ = ["follow", "progress_of"]

#: Seconds from one look to the next, after an event and without one.
_AFTER_EVENT, _OTHERWISE = 0.05, 0.5
#: A run with large outputs takes a while to read: no more than one part in so many of the time goes into that.
_READING_SHARE = 10


def follow(run: FlowRun, view: View, read: Callable[[], Progress], timeout: float | None = None) -> None:
    """Show a run until it has ended; raises what `FlowRun.wait` does, and no outage that ends."""
    began = time.monotonic()
    with view, closing(run.events(timeout, heartbeat=_AFTER_EVENT)) as events:
        _show(view, read)
        looked_at = time.monotonic()
        pause = _READING_SHARE * (looked_at - began)
        is_news = False
        for event in events:
            is_news = is_news or event is not None
            now = time.monotonic()
            if now >= looked_at + max(pause, _AFTER_EVENT if is_news else _OTHERWISE):
                _show(view, read)
                looked_at = time.monotonic()
                pause, is_news = _READING_SHARE * (looked_at - now), False
        _show(view, read)


def _show(view: View, read: Callable[[], Progress]) -> None:
    """Show what is read; where that cannot be, what was shown last stays."""
    with suppress(psycopg.OperationalError):
        view.show(read())


def progress_of(run: FlowRun) -> Callable[[], Progress]:
    """Return what reads a run's progress by the functions that every client may call; they tell of no attempts."""
    shapes: list[GraphStep] = []

    def read() -> Progress:
        if not run.status.is_terminal:
            run.refresh()
        if not shapes:
            shapes.extend(_shapes(run))
        ended = run.completed_at or run.failed_at or datetime.now(UTC)
        return Progress(
            run.run_id,
            run.status,
            (ended - run.started_at).total_seconds(),
            run.error_message,
            drawn(run.flow_slug, shapes, run._watch.state.steps),
        )

    return read


def _shapes(run: FlowRun) -> list[GraphStep]:
    try:
        return list(FlowGraph.of_shapes(run.flow_slug, run._shapes()).steps)
    except psycopg.errors.InsufficientPrivilege:
        # What depends on what is not this role's to know; how far the steps are is.
        return [GraphStep(slug, (), step.initial_tasks != 1) for slug, step in run.steps.items()]

"""A word to who waits for a run that no worker takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["hinting_at_missing_workers"]

#: Seconds without an end after which workers are looked for.
_SOON = 5.0


@contextmanager
def hinting_at_missing_workers(dsn: str | None, flow_slug: str) -> Iterator[None]:
    """Say once on standard error, while something takes long, that nobody works on the flow, if that is so.

    To look for workers takes a role that may; others are told nothing.
    """
    timer = threading.Timer(_SOON, _hint, [dsn, flow_slug])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hint(dsn: str | None, flow_slug: str) -> None:
    import psycopg

    from pgflow import inspection
    from pgflow.dsn import resolve
    from pgflow.engine.pool import connect

    try:
        with connect(resolve(dsn), name="pgflow inspection", prepare_threshold=None) as connection:
            workers = inspection.workers(connection)
    except psycopg.Error:
        return
    if not any(worker.status == "running" and flow_slug in worker.flow_slugs for worker in workers):
        click.echo(f"no worker serves {flow_slug}: start one, `pgflow worker MODULE`, and this run goes on", err=True)

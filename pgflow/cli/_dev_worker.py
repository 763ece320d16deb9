"""The worker that ``pgflow dev`` runs: it ends when its standard input does, however its parent has ended."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import click

from pgflow.cli._failures import one_line
from pgflow.cli._loading import load_flows
from pgflow.cli._serving import log_to_stderr, serve
from pgflow.client import FlowClient
from pgflow.dsl import Flow
from pgflow.errors import FlowShapeError
from pgflow.worker import Worker

__all__ = ["main"]


@click.command()
@click.argument("targets", nargs=-1)
@click.option("--concurrency", type=int)
@click.option("--grace", type=float)
@click.option("--log-level")
@click.option("--replace", is_flag=True)
def main(targets: tuple[str, ...], concurrency: int, grace: float, log_level: str, replace: bool) -> None:
    """Define flows and work on them; see ``pgflow dev`` for the options."""
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    log_to_stderr(log_level)
    try:
        flows = load_flows(targets)
        _define(flows, replace=replace)
        serve(Worker(flows, concurrency=concurrency), grace=grace)
    except FlowShapeError as error:
        _fail(f"{one_line(error)} (pgflow dev --replace does the latter)")
    except Exception as error:
        message = one_line(error)
        if message is None:
            raise
        _fail(message)


def _define(flows: list[Flow[Any]], *, replace: bool) -> None:
    with FlowClient() as client:
        for flow in flows:
            try:
                client.register(flow)
            except FlowShapeError:
                if not replace:
                    raise
                client.register(flow, replace=True)
                click.echo(
                    f"flow {flow.slug!r} has another shape: it was defined anew, and its runs are gone", err=True
                )


def _fail(message: str) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(1)


def _end_with_standard_input() -> None:
    # Not sys.stdin, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()

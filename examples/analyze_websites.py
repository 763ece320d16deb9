"""See pgflow at work: ``python examples/analyze_websites.py [URL …]``.

Starts a PostgreSQL under ``.pgflow/`` (or uses that of ``PGFLOW_DSN``), installs the schema, starts a worker as a
process of its own and a run of the flow in ``websites/flow.py``, shows how it goes, and prints what came out. Without
URLs, the site in ``site/`` is served and analyzed. Exit status: 0, or 1 if the run failed, or 128 + the signal that
stopped it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from pgflow import FlowClient, FlowRun, PgflowError, RunStatus, WaitTimeoutError, migrations
from pgflow.dsn import resolve
from pgflow.embedded import server_dsn
from site_server import SiteServer
from websites.flow import Request, analyze_site, flow, summarize
from websites.progress import open_view, read_retries, read_steps
from websites.report import print_report
from websites.stop_signals import StopSignals
from websites.worker_process import worker_process

FOLDER = Path(".pgflow")
PAUSE = 0.6
"""Seconds that the slowest page of our own site takes, so that there is something to see."""


class WorkerStoppedError(Exception):
    """The worker ended while the run still needed it."""


def main(urls: Sequence[str]) -> int:
    """Run the whole, and return the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # titles in any script, on whatever terminal
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 120)
    with StopSignals() as stop:
        try:
            status = analyze(urls, console, stop)
        except KeyboardInterrupt:
            status = 1
        except (PgflowError, WorkerStoppedError, psycopg.Error) as exc:
            status = 1
            if stop.received is None:
                console.print(f"error: {exc}", style="red", markup=False, soft_wrap=True)
        if stop.received is None:
            return status
        console.print(f"Stopped by {stop.received.name}; nothing is left running.")
        return 128 + stop.received


def analyze(urls: Sequence[str], console: Console, stop: StopSignals) -> int:
    """Start what is needed, follow one run to its end, stop everything; returns the exit status."""
    with ExitStack() as started:
        if "PGFLOW_DSN" not in os.environ:
            console.print("Starting PostgreSQL …", style="dim")
        dsn = started.enter_context(server_dsn(FOLDER))
        connection = started.enter_context(psycopg.connect(resolve(dsn), autocommit=True))
        if stop.received is None:
            migrations.upgrade(dsn)
        if stop.received is not None:
            return 1
        if not urls:
            urls = started.enter_context(SiteServer(pause=PAUSE)).urls
        log = FOLDER / "worker.log"
        worker = started.enter_context(worker_process("websites.flow:flow", dsn, log))
        client = started.enter_context(FlowClient(dsn))
        client.register(flow)
        run = client.start(flow, Request(list(urls)))
        console.print(f"Run {run.run_id} of {flow.slug}, {len(urls)} addresses; the worker's log is {log}", style="dim")
        follow(run, connection, worker, log, console, stop)
        if run.status is RunStatus.COMPLETED:
            print_report(console, run.step(analyze_site).result(), run.step(summarize).result())
            return 0
        if run.status is RunStatus.FAILED:
            console.print(f"The run failed: {run.error_message}", style="red", markup=False, soft_wrap=True)
        return 1


def follow(
    run: FlowRun,
    connection: psycopg.Connection[Any],
    worker: subprocess.Popen[bytes],
    log: Path,
    console: Console,
    stop: StopSignals,
) -> None:
    """Show a run's progress until it ends or a signal comes.

    :raises WorkerStoppedError: nobody is left to work on it.
    """
    with open_view(console) as view:
        while stop.received is None and not run.status.is_terminal:
            with suppress(WaitTimeoutError):
                run.wait(timeout=0.1)
            view.show(read_steps(connection, run.run_id), read_retries(connection, run.run_id))
            if worker.poll() is not None and not run.refresh().status.is_terminal:
                said = log.read_text(errors="replace").strip().splitlines()[-5:]
                raise WorkerStoppedError("\n".join([f"the worker ended with status {worker.returncode}:", *said]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

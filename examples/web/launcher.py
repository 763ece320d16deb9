"""Start all that an application needs, with one command, and stop it with Ctrl-C."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pgflow import FlowClient
from pgflow.embedded import server_dsn
from site_server import SiteServer
from websites.flow import flow
from websites.stop_signals import StopSignals
from websites.worker_process import child_process

__all__ = ["launch"]

FOLDER = Path(".pgflow")
PAUSE = 2.0
"""Seconds that the slowest page of our own site takes, so that there is something to see."""


def launch(application: str, *, migrate: Sequence[str], worker: Sequence[str]) -> int:
    """Run an application until a signal comes, or one of its processes ends; returns the exit status.

    A PostgreSQL under ``.pgflow/`` (or that of ``PGFLOW_DSN``), a small site to analyze, a worker, and gunicorn. What
    the worker and gunicorn say goes into files under ``.pgflow/``.

    :param application: the WSGI application as gunicorn names it.
    :param migrate: a command of Python's that installs the schema, for instance ``["-m", "flask", …]``.
    :param worker: a command of Python's that works on the flow.
    """
    parser = argparse.ArgumentParser(description="Analyze web sites, in a browser.")
    parser.add_argument("--port", type=int, default=8000, help="where to listen on loopback; 0 is any that is free")
    port = parser.parse_args().port
    with StopSignals() as stop, ExitStack() as started:
        try:
            listening = started.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError as exc:
            print(f"port {port} of loopback cannot be had, take another by --port: {exc.strerror}", file=sys.stderr)
            return 1
        dsn = started.enter_context(server_dsn(FOLDER))
        site = started.enter_context(SiteServer(pause=PAUSE))
        settings = {"PGFLOW_DSN": dsn, "SUGGESTED_URLS": " ".join(site.urls)}
        log = FOLDER / "migrate.log"
        with child_process(migrate, settings, log) as migration:
            if migration.wait() != 0:
                return 1 if stop.received else _complain("the migration", migration, log)
        # The worker defines it too, but whoever is quick with the form may be there before it.
        with FlowClient(dsn) as client:
            client.register(flow)
        bind = f"fd://{listening.fileno()}"
        serve = ["-m", "gunicorn", "--config", "python:web.gunicorn_conf", "--bind", bind, application]
        web = child_process(serve, settings, FOLDER / "web.log", pass_fds=[listening.fileno()])
        processes = {
            FOLDER / "worker.log": started.enter_context(child_process(worker, settings, FOLDER / "worker.log")),
            FOLDER / "web.log": started.enter_context(web),
        }
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/ (Ctrl-C stops it)", flush=True)
        while stop.received is None:
            for log, process in processes.items():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2)
                    return _complain(f"the {log.stem} process", process, log)
    return 0


def _complain(what: str, process: subprocess.Popen[bytes], log: Path) -> int:
    said = log.read_text(errors="replace").strip().splitlines()[-5:]
    print("\n".join([f"{what} ended with status {process.returncode}; the end of {log}:", *said]), file=sys.stderr)
    return 1

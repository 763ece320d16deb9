"""``manage.py pgflow_worker``: a worker as a process of its own."""

from __future__ import annotations

import multiprocessing
from typing import Any

import django
from django.core.management.base import CommandError, CommandParser

from pgflow.cli._loading import load_flows
from pgflow.cli._serving import log_to_stderr, serve
from pgflow.cli.worker import worker
from pgflow.contrib.django.discovery import discover_flows
from pgflow.contrib.django.executors import DjangoProcesses
from pgflow.contrib.django.management.command import PgflowCommand
from pgflow.contrib.django.worker import DjangoWorker
from pgflow.worker.handler_process import Recipe

__all__ = ["Command"]


class Command(PgflowCommand):
    """``pgflow worker`` for the flows of the project."""

    help = (
        "Works on the tasks of flows until SIGTERM or SIGINT: of those in each application's flows.py, or of those "
        "that are named. The exit status is 0 if everything begun was finished, 3 if some of it was handed back to "
        "others, and 130 or 143 after a second signal, which is obeyed at once."
    )
    command = worker

    def add_arguments(self, parser: CommandParser) -> None:
        """Take flows that are not in the applications, or only some of those that are."""
        parser.add_argument("targets", metavar="MODULE[:FLOW]", nargs="*", help="Default: each application's flows.py.")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run it; the process ends with it."""
        self._serve(options["targets"], **self.options_of(options))

    def _serve(
        self, targets: list[str], *, concurrency: int, processes: bool, lease: float, grace: float, log_level: str
    ) -> None:
        flows = load_flows(targets) if targets else discover_flows()
        if not flows:
            raise CommandError("no application has a flow in a flows.py: write one, or name MODULE or MODULE:FLOW")
        log_to_stderr(log_level)
        pool = _processes(concurrency, log_level) if processes else None
        serve(DjangoWorker(flows, concurrency=concurrency, lease=lease, processes=pool), grace=grace)


def _processes(size: int, log_level: str) -> DjangoProcesses:
    return DjangoProcesses(
        size, Recipe(multiprocessing.get_context("spawn"), initializer=_make_ready, initargs=(log_level,))
    )


def _make_ready(log_level: str) -> None:
    """Load the project in a process that is to run handlers, before the first of them is imported."""
    django.setup()
    log_to_stderr(log_level)

"""The worker of a Django project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgflow.contrib.django import conf
from pgflow.contrib.django.discovery import discover_flows
from pgflow.contrib.django.executors import DjangoProcesses, DjangoThreads
from pgflow.dsl import Flow
from pgflow.worker import Worker
from pgflow.worker.outcome import Outcome

__all__ = ["DjangoWorker"]


class DjangoWorker(Worker):
    """A `pgflow.Worker` on the project's database whose handlers may use the ORM.

    :param flows: None is every flow in the ``flows.py`` of the installed applications.
    :param processes: runs the handlers in these instead of threads.

    ``manage.py pgflow_worker`` is one; in a program or a test it is a context manager like any worker.
    """

    def __init__(
        self,
        flows: Flow[Any] | Sequence[Flow[Any]] | None = None,
        *,
        concurrency: int = 10,
        lease: float = 30.0,
        processes: DjangoProcesses | None = None,
    ) -> None:
        dsn, listen_dsn = conf.dsns_of(conf.configuration())
        self._runs_handlers = processes or DjangoThreads(concurrency)
        super().__init__(
            discover_flows() if flows is None else flows,
            dsn,
            listen_dsn=listen_dsn,
            concurrency=concurrency,
            lease=lease,
            executor=self._runs_handlers,
        )

    def stop(self, *, grace: float = 30.0) -> Outcome:
        """Stop, and return how it ended; see `pgflow.Worker.stop`."""
        outcome = super().stop(grace=grace)
        self._runs_handlers.shutdown()
        return outcome

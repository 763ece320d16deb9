"""What every workload is given: a database, workers as processes of their own, and a way to wait for runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from attrs import define
from psycopg import sql

from benchmarks.meter import Cost, measured
from pgflow import Flow, FlowClient

__all__ = ["Bench"]

_FLOWS = Path(__file__).with_name("flows.py")
#: Seconds after which something that is certain to come is given up.
_PATIENCE = 300.0
#: Seconds between two looks.
_GLANCE = 0.02


@define
class Bench:
    """A migrated database for one workload after the other."""

    dsn: str
    connection: psycopg.Connection[Any]
    client: FlowClient
    #: How large the workloads are: 1 is what the documentation shows.
    scale: float

    def sized(self, count: int) -> int:
        """So many, or a part of it as the scale says, but enough to mean something."""
        return max(int(count * self.scale), 10)

    @contextmanager
    def workers(self, flow: Flow[Any], *, count: int = 1, concurrency: int = 100) -> Iterator[list[int]]:
        """Define a flow of ``flows.py`` anew, and run so many workers of it during the block; their process ids."""
        self.client.register(flow, replace=True)
        before = self._registered()
        started = [self._start(flow, concurrency) for _ in range(count)]
        try:
            self.until(lambda: self._registered() == before + count, "the workers", alive=started)
            yield [process.pid for process in started]
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(_PATIENCE)

    @contextmanager
    def settings(self, **values: str) -> Iterator[None]:
        """Have new sessions of the database begin with other settings during the block."""
        database = sql.Identifier(self.connection.info.dbname)
        for name, value in values.items():
            self.connection.execute(
                sql.SQL("alter database {} set {} = {}").format(database, sql.Identifier(name), sql.Literal(value))
            )
        try:
            yield
        finally:
            for name in values:
                self.connection.execute(sql.SQL("alter database {} reset {}").format(database, sql.Identifier(name)))

    def work_off(self, flow: Flow[Any], inputs: Sequence[object], workers: Sequence[int], *, leave: int = 0) -> Cost:
        """Start a run for each input, all at once, wait as `until_done` does, and return what that cost."""
        with measured(self.connection, workers) as cost:
            self.client.start_many(flow, inputs)
            self.until_done(flow, leave=leave)
        return cost

    def until_done(self, flow: Flow[Any], *, leave: int = 0) -> None:
        """Return when no more than ``leave`` runs of a flow are open, all of them delayed; none may have failed."""
        # What is queued, and what is being worked, is due within the hour. The index knows, however large the queue.
        due = sql.SQL("select exists (select from pgmq.{} where vt < now() + interval '1 hour')").format(
            sql.Identifier(f"q_{flow.slug}")
        )
        self.until(lambda: not self.value(due), f"the runs of {flow.slug}")
        for status, most in (("started", leave), ("failed", 0)):
            query = "select count(*) from pgflow.runs where flow_slug = %s and status = %s"
            if (found := self.value(query, flow.slug, status)) > most:
                sys.exit(f"{found} runs of {flow.slug} are {status}")

    def until(
        self,
        condition: Callable[[], object],
        what: str,
        *,
        alive: Sequence[subprocess.Popen[bytes]] = (),
    ) -> None:
        """Return when a condition holds; exit if one of the processes has ended, or it takes far too long."""
        ends = time.monotonic() + _PATIENCE
        while not condition():
            if any(process.poll() is not None for process in alive):
                sys.exit(f"a process ended while waiting for {what}")
            if time.monotonic() > ends:
                sys.exit(f"waited in vain for {what}")
            time.sleep(_GLANCE)

    def value(self, query: LiteralString | sql.Composed, *arguments: object) -> Any:
        """The one value of a query."""
        row = self.connection.execute(query, arguments).fetchone()
        assert row is not None
        return row[0]

    def _start(self, flow: Flow[Any], concurrency: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pgflow", "worker", f"{_FLOWS}:{flow.slug}", "--log-level", "warning"]
        return subprocess.Popen(
            [*command, "--concurrency", str(concurrency)], env={**os.environ, "PGFLOW_DSN": self.dsn}
        )

    def _registered(self) -> int:
        return int(self.value("select count(*) from pgflow.workers where stopped_at is null"))

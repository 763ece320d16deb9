"""What a piece of work costs: time, WAL, the processors' time in PostgreSQL and in Python, and the workers' memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg
from attrs import define

__all__ = ["Cost", "measured"]


@define
class Cost:
    """What was used between two moments; PostgreSQL's part is None where it runs on another machine."""

    seconds: float = 0.0
    wal_bytes: int = 0
    postgres_seconds: float | None = None
    python_seconds: float = 0.0
    #: Resident memory of the largest worker when the work was done.
    worker_bytes: int = 0

    def of_each(self, items: int) -> dict[str, float | None]:
        """The figures for one of so many items."""
        return {
            "per_second": round(items / self.seconds, 1),
            "postgres_ms": None if self.postgres_seconds is None else round(self.postgres_seconds / items * 1000, 3),
            "python_ms": round(self.python_seconds / items * 1000, 3),
            "wal_bytes": round(self.wal_bytes / items),
        }


@contextmanager
def measured(connection: psycopg.Connection[Any], workers: Iterable[int] = ()) -> Iterator[Cost]:
    """Measure the block; ``workers`` are the processes that count as Python beside this one."""
    crew = [psutil.Process(pid) for pid in workers]
    processes = [psutil.Process(), *crew]
    postmaster = _postmaster(connection)
    cost = Cost()
    wal, python, postgres = _wal(connection), sum(map(_seconds, processes)), _server_seconds(postmaster)
    began = time.monotonic()
    yield cost
    cost.seconds = time.monotonic() - began
    cost.wal_bytes = _wal(connection) - wal
    cost.python_seconds = sum(map(_seconds, processes)) - python
    cost.worker_bytes = max((process.memory_info().rss for process in crew), default=0)
    if postgres is not None:
        cost.postgres_seconds = (_server_seconds(postmaster) or 0.0) - postgres


def _wal(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
    assert row is not None
    return int(row[0])


def _postmaster(connection: psycopg.Connection[Any]) -> psutil.Process | None:
    """The server's first process, which all others come from; None if it is not on this machine."""
    if not connection.info.host.startswith("/") and connection.info.hostaddr not in ("127.0.0.1", "::1"):
        return None
    try:
        return psutil.Process(connection.info.backend_pid).parent()
    except psutil.Error:
        return None


def _server_seconds(postmaster: psutil.Process | None) -> float | None:
    if postmaster is None:
        return None
    of_ended = postmaster.cpu_times()
    running = [postmaster, *postmaster.children()]
    return of_ended.children_user + of_ended.children_system + sum(map(_seconds, running))


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # counted with its parent's children from now on
        return 0.0
    return times.user + times.system

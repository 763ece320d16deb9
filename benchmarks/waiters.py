"""How soon callers wake whose runs end, when one process has thousands of them, and what they leave behind.

``python benchmarks/waiters.py`` blocks 2,000 threads of this process on a run each, while another process ends runs at
200 a second; whoever wakes waits for the next run, so that for the first half there are always as many waiting. The
time is counted from just before the transaction that ends a run is sent to when the waiting thread goes on, and so
includes that transaction. It prints what it measured, then the same as one line of JSON, and its exit status is 0 if
the targets were met: 50 ms at the median, 250 ms at the 99th percentile, and nothing left behind.

The flow ``bench-waiters`` is defined for it, in the database of ``PGFLOW_DSN`` or of an embedded server, and deleted
again with its runs.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import multiprocessing
import os
import queue
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psycopg
from attrs import asdict, define, field, frozen

from pgflow import Flow, FlowClient, FlowRun, migrations
from pgflow.connector import PsycopgConnector
from pgflow.embedded import server_dsn
from pgflow.models import Completion, TaskRecord

FLOW: Flow[int] = Flow("bench-waiters", input=int)

MEDIAN_TARGET_MS = 50.0
P99_TARGET_MS = 250.0

# Seconds beyond the time that the runs take by themselves, after which something is wrong.
PATIENCE = 120.0


@FLOW.step
def end(run: int) -> int:
    """Never called: the runs are ended by hand, at their times."""
    return run


@frozen
class Held:
    """What the process and its sessions hold at a moment."""

    threads: int
    listens: int
    connections: int
    #: Python's memory blocks in use, in thousands, and the process's resident memory.
    kilo_blocks: int
    resident_mb: int


@frozen
class Figures:
    """What was measured."""

    waiters: int
    ended: int
    per_second: float
    median_ms: float
    p99_ms: float
    max_ms: float
    before: Held
    during: Held
    after: Held

    @property
    def is_met(self) -> bool:
        """Whether the targets were met; of memory, within what the interpreter and the allocator do by themselves."""
        return (
            self.median_ms <= MEDIAN_TARGET_MS
            and self.p99_ms <= P99_TARGET_MS
            and (self.after.threads, self.after.listens) == (self.before.threads, self.before.listens)
            and self.after.connections <= self.before.connections
            and self.after.kilo_blocks <= self.before.kilo_blocks * 1.02
            and self.after.resident_mb <= self.before.resident_mb * 1.1
        )


@define
class Waiters:
    """Threads that wait for one run after the other."""

    dsn: str
    connector: PsycopgConnector
    count: int
    deadline: float
    woken: dict[str, float] = field(factory=dict)
    _runs: queue.SimpleQueue[FlowRun] = field(factory=queue.SimpleQueue)

    def held(self) -> Held:
        """Return what is held now."""
        gc.collect()
        _give_memory_back()
        blocks = sys.getallocatedblocks() // 1000
        session = self.connector._listener._session
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and application_name in ('pgflow', 'pgflow listener')"
            ).fetchone()
        return Held(
            threads=threading.active_count(),
            listens=0 if session is None else len(session.channels),
            connections=row[0] if row else 0,
            kilo_blocks=blocks,
            resident_mb=_resident_mb(),
        )

    def start(self, runs: list[FlowRun]) -> list[threading.Thread]:
        """Wait for runs, as many at a time as there are waiters; returns when the first of them are awaited."""
        for run in runs:
            self._runs.put(run)
        threads = [threading.Thread(target=self._wait, daemon=True) for _ in range(self.count)]
        for thread in threads:
            thread.start()
        self._until(lambda: self._watched() >= self.count, "every run to be watched")
        return threads

    def join(self, threads: list[threading.Thread]) -> None:
        """Wait for all of them, and for the listener to have gone."""
        for thread in threads:
            thread.join(max(0.0, self.deadline - time.monotonic()))
        self._until(lambda: not any(each.name == "pgflow-listener" for each in threading.enumerate()), "the listener")

    def _wait(self) -> None:
        while True:
            try:
                run = self._runs.get_nowait()
            except queue.Empty:
                return
            run.wait(self.deadline - time.monotonic())
            self.woken[str(run.run_id)] = time.monotonic()

    def _watched(self) -> int:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "select count(*) from pgflow.runs where flow_slug = %s and watched and status = 'started'", [FLOW.slug]
            ).fetchone()
        return row[0] if row else 0

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        pause = threading.Event()
        while not condition():
            if time.monotonic() > self.deadline:
                sys.exit(f"waited in vain for {what}")
            pause.wait(0.05)


def end_runs(dsn: str, count: int, rate: float, pipe: Connection) -> None:
    """Claim ``count`` runs' tasks, say so, and once told to, end them at ``rate`` a second; send when each was sent."""
    connector = PsycopgConnector(dsn)
    tasks: list[TaskRecord] = []
    while len(tasks) < count:
        tasks += connector.poll_for_tasks([FLOW.slug], qty=count - len(tasks), lease=600)
    pipe.send(len(tasks))
    pipe.recv()
    sent: dict[str, float] = {}
    began = time.monotonic()
    pause = threading.Event()
    for number, task in enumerate(sorted(tasks, key=lambda each: each.msg_id)):
        pause.wait(max(0.0, began + number / rate - time.monotonic()))
        sent[str(task.run_id)] = time.monotonic()
        connector.complete_tasks([Completion(task.key, number)])
    pipe.send((sent, time.monotonic() - began))
    connector.close()


def measure(dsn: str, waiters: int, count: int, rate: float) -> Figures:
    """Have ``waiters`` threads wait for ``count`` runs that end at ``rate`` a second."""
    deadline = time.monotonic() + count / rate + PATIENCE
    connector = PsycopgConnector(dsn, linger=0.5)
    client = FlowClient(connector=connector)
    client.register(FLOW, replace=True)
    waiting = Waiters(dsn, connector, waiters, deadline)
    before = waiting.held()
    here, there = multiprocessing.Pipe()
    ender = multiprocessing.get_context("spawn").Process(target=end_runs, args=(dsn, count, rate, there), daemon=True)
    runs = client.start_many(FLOW, range(count))
    ender.start()
    try:
        _received(here, deadline)
        threads = waiting.start(runs)
        del runs
        during = waiting.held()
        here.send("go")
        sent, seconds = _received(here, deadline)
        waiting.join(threads)
        del threads
    finally:
        ender.terminate()
        ender.join()
    woken, waiting.woken = waiting.woken, {}
    late = sorted((woken[run_id] - at) * 1000 for run_id, at in sent.items())
    median, p99, most = statistics.median(late), late[int(len(late) * 0.99)], late[-1]
    del woken, sent, late
    after = waiting.held()
    connector.close()
    return Figures(
        waiters=waiters,
        ended=count,
        per_second=round(count / seconds, 1),
        median_ms=round(median, 1),
        p99_ms=round(p99, 1),
        max_ms=round(most, 1),
        before=before,
        during=during,
        after=after,
    )


def show(figures: Figures) -> None:
    """Print figures for people, and then for programs."""
    print(f"{figures.waiters} callers waited, {figures.ended} runs ended at {figures.per_second:g} a second")
    print(
        f"woken after {figures.median_ms:g} ms at the median (target {MEDIAN_TARGET_MS:g}),"
        f" {figures.p99_ms:g} ms at p99 (target {P99_TARGET_MS:g}), {figures.max_ms:g} ms at most"
    )
    for name in ("threads", "listens", "connections", "kilo_blocks", "resident_mb"):
        before, during, after = (getattr(held, name) for held in (figures.before, figures.during, figures.after))
        print(f"{name.replace('_', ' '):12} {before:5} before {during:7} during {after:5} after")
    print(json.dumps({**asdict(figures), "ok": figures.is_met}))


def _received(pipe: Connection, deadline: float) -> Any:
    if not pipe.poll(max(0.0, deadline - time.monotonic())):
        sys.exit("the process that ends the runs did not answer")
    return pipe.recv()


def _give_memory_back() -> None:
    """Have the C library return to the system what is free, where it can be told to."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


def _resident_mb() -> int:
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except FileNotFoundError:
        # Not what is resident but what ever was, in bytes: macOS.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--waiters", type=int, default=2000, help="threads that wait (%(default)s)")
    parser.add_argument("--runs", type=int, help="runs that end (twice as many as waiters)")
    parser.add_argument("--rate", type=float, default=200, help="how many end in a second (%(default)s)")
    options = parser.parse_args()
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        try:
            # The first time warms up: modules, caches, and what the allocator keeps of so many threads' memory.
            measure(dsn, options.waiters, options.runs or 2 * options.waiters, options.rate)
            figures = measure(dsn, options.waiters, options.runs or 2 * options.waiters, options.rate)
        finally:
            with psycopg.connect(dsn) as connection:
                connection.execute("select pgflow.delete_flow(%s)", [FLOW.slug])
    show(figures)
    return 0 if figures.is_met else 1


if __name__ == "__main__":
    sys.exit(main())

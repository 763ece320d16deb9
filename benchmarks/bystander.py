"""What others on the same server lose to an engine whose runs nobody watches, and whether its events cost them more.

Four clients update rows for a while, with nothing else there, beside an engine at a fixed rate, and beside the same
engine with every event taken out of its functions. Then four that send notifications of their own do the
same, and all of it again with slow commits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from benchmarks.bench import Bench
from benchmarks.flows import chain
from benchmarks.workers import slow_commits

_CLIENTS = 4
_RUNS_PER_SECOND = 100
_SECONDS = 8.0


def run(bench: Bench) -> dict[str, object]:
    """Tell the transactions a second of the others, and what share of them is left beside the engine."""
    figures: dict[str, object] = {}
    bench.connection.execute("create table bystander (id int primary key, n int not null) with (fillfactor = 50)")
    bench.connection.execute("insert into bystander select n, 0 from generate_series(1, 1000) as n")
    for pace in ("fast", "slow"):
        with ExitStack() as stack:
            if pace == "slow":
                stack.enter_context(slow_commits(bench))
            for kind, notify in (("updating", False), ("notifying", True)):
                alone = _rate(bench, notify)
                with _engine(bench):
                    beside = _rate(bench, notify)
                with _without_events(bench), _engine(bench):
                    beside_silent = _rate(bench, notify)
                figures[f"{kind}_{pace}_commits"] = {
                    "alone_per_second": round(alone, 1),
                    "beside_the_engine": round(beside / alone, 2),
                    "beside_it_without_events": round(beside_silent / alone, 2),
                }
    bench.connection.execute("drop table bystander")
    return figures


def _rate(bench: Bench, notify: bool) -> float:
    """How many transactions a second the clients commit together."""
    done = [0] * _CLIENTS
    over = threading.Event()

    def work(number: int) -> None:
        with psycopg.connect(bench.dsn, autocommit=True) as connection:
            while not over.is_set():
                key = (done[number] * _CLIENTS + number) % 1000 + 1
                with connection.transaction():
                    connection.execute("update bystander set n = n + 1 where id = %s", [key])
                    if notify:
                        connection.execute("select pg_notify('bystander', '')")
                done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_CLIENTS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    over.wait(max(_SECONDS * bench.scale, 1))
    over.set()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


@contextmanager
def _engine(bench: Bench) -> Iterator[None]:
    """Start and work runs at a steady rate, which nobody watches."""
    over = threading.Event()

    def start() -> None:
        began, started = time.monotonic(), 0
        while not over.wait(max(began + started / _RUNS_PER_SECOND - time.monotonic(), 0)):
            bench.client.start(chain, started)
            started += 1

    with bench.workers(chain, concurrency=10):
        starting = threading.Thread(target=start)
        starting.start()
        try:
            yield
        finally:
            over.set()
            starting.join()
            bench.until_done(chain)


@contextmanager
def _without_events(bench: Bench) -> Iterator[None]:
    """Take events out of the engine's functions; that a sleeping worker is woken stays."""
    names = ("_notify_event", "_broadcast_run", "_broadcast_steps")
    query = "select pg_get_functiondef(oid) from pg_proc where pronamespace = 'pgflow'::regnamespace and proname = %s"
    originals = [bench.value(query, name) for name in names]
    for original in originals:
        head = original[: original.index("AS $function$")]
        bench.connection.execute(f"{head}AS $function$ begin end $function$")
    try:
        yield
    finally:
        for original in originals:
            bench.connection.execute(original)

"""Whether more workers ever make it slower: 1, 2, 4 and 8 of them, on many runs and on a single one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg

from benchmarks.bench import Bench
from benchmarks.flows import chain, fanout, slow
from pgflow import Flow

_COUNTS = (1, 2, 4, 8)
#: Microseconds that every commit takes longer, as on a disk that is slow to write.
_COMMIT_DELAY = 2_000


def run(bench: Bench) -> dict[str, object]:
    """Measure each with every number of workers; a share of 1 is as fast as the best."""
    tasks = bench.sized(10_000)
    waiting = bench.sized(4_000)
    with _watched(bench) as found:
        figures = {
            "chain": _rates(bench, chain, range(bench.sized(2_000)), 3 * bench.sized(2_000)),
            "fanout": _rates(bench, fanout, [{"count": tasks, "padding": 0}], tasks),
            "one_run_of_5_ms": _rates(bench, slow, [waiting], waiting),
        }
        if bench.value("select rolsuper from pg_roles where rolname = current_user"):
            with slow_commits(bench):
                figures["one_run_of_5_ms_slow_commits"] = _rates(bench, slow, [waiting], waiting)
    return {**figures, **found}


def _rates(bench: Bench, flow: Flow[Any], inputs: Sequence[object], items: int) -> dict[str, float]:
    rates = {}
    for count in _COUNTS:
        with bench.workers(flow, count=count) as workers:
            bench.client.start(flow, inputs[0])
            bench.until_done(flow)
            rates[count] = items / bench.work_off(flow, inputs, workers).seconds
    return {
        **{f"{count}_per_second": round(rate, 1) for count, rate in rates.items()},
        "worst_share": round(min(rates.values()) / max(rates.values()), 2),
    }


def slow_commits(bench: Bench) -> AbstractContextManager[None]:
    """Have the commits of new sessions take longer."""
    return bench.settings(commit_delay=str(_COMMIT_DELAY), commit_siblings="0")


@contextmanager
def _watched(bench: Bench) -> Iterator[dict[str, float]]:
    """Look for waits on locks of rows and transactions, and count deadlocks."""
    found: dict[str, float] = {"longest_lock_wait_ms": 0.0}
    over = threading.Event()
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    before = bench.value(deadlocks)

    def look() -> None:
        # What a session waits for on its own account; extending a file is PostgreSQL's business.
        query = (
            "select max(extract(epoch from clock_timestamp() - waitstart) * 1000)::float from pg_locks"
            " where not granted and locktype in ('transactionid', 'tuple', 'relation', 'advisory')"
            " and database is not distinct from coalesce(database, (select oid from pg_database"
            " where datname = current_database()))"
        )
        with psycopg.connect(bench.dsn, autocommit=True) as connection:
            while not over.wait(0.01):
                row = connection.execute(query).fetchone()
                if row and row[0]:
                    found["longest_lock_wait_ms"] = max(found["longest_lock_wait_ms"], round(row[0], 1))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()
        found["deadlocks"] = bench.value(deadlocks) - before

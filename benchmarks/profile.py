"""Where PostgreSQL's time goes while runs of one step are worked one after the other: each function by itself."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.flows import single

_LINES = 15


def run(bench: Bench) -> dict[str, object]:
    """Microseconds a run that each function of the engine took, without those that it called; the longest first."""
    count = bench.sized(2_000)
    bench.connection.execute("select pg_stat_reset()")
    with bench.settings(track_functions="all"), bench.workers(single, concurrency=10):
        for number in range(count):
            bench.client.start(single, number).result()
        # Sessions tell their figures when they end, or when they have been idle for a while.
        bench.until(lambda: _reported(bench) >= count, "the figures of every session")
    rows = bench.connection.execute(
        "select funcname, self_time * 1000 / %s from pg_stat_user_functions where schemaname in ('pgflow', 'realtime')"
        " order by self_time desc limit %s",
        (count, _LINES),
    ).fetchall()
    return {name: {"microseconds_a_run": round(microseconds, 1)} for name, microseconds in rows}


def _reported(bench: Bench) -> int:
    query = "select coalesce(max(calls), 0) from pg_stat_user_functions where funcname = 'complete_tasks'"
    return int(bench.value(query))

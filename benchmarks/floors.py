"""What the machine and PostgreSQL allow: no engine on them can be faster, so figures are read beside these."""

from __future__ import annotations

import os
import statistics
import time

import psycopg

from benchmarks.bench import Bench

_SECONDS = 2.0
_BATCH = 100


def run(bench: Bench) -> dict[str, object]:
    """Measure single inserts, batches through pgmq, and a notification there and back."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "postgres": bench.connection.info.parameter_status("server_version"),
        "inserts_per_second": _inserts(bench),
        "pgmq_messages_per_second_by_100": _messages(bench),
        "notify_round_trip_ms": _notifications(bench),
    }


def _inserts(bench: Bench) -> float:
    bench.connection.execute("create table bench_floor (id bigint generated always as identity primary key, note text)")
    try:
        done, ends = 0, (began := time.perf_counter()) + _SECONDS
        while time.perf_counter() < ends:
            bench.connection.execute("insert into bench_floor (note) values (%s)", ["x"])
            done += 1
        return round(done / (time.perf_counter() - began), 1)
    finally:
        bench.connection.execute("drop table bench_floor")


def _messages(bench: Bench) -> float:
    bench.connection.execute("select pgmq.create('bench_floor')")
    try:
        done, ends = 0, (began := time.perf_counter()) + _SECONDS
        while time.perf_counter() < ends:
            bench.connection.execute(
                "select pgmq.send_batch('bench_floor', array_fill('{\"n\": 1}'::jsonb, array[%s]))", [_BATCH]
            )
            read = bench.connection.execute("select msg_id from pgmq.read('bench_floor', 30, %s)", [_BATCH]).fetchall()
            bench.connection.execute("select pgmq.archive('bench_floor', %s::bigint[])", [[one for (one,) in read]])
            done += _BATCH
        return round(done / (time.perf_counter() - began), 1)
    finally:
        bench.connection.execute("select pgmq.drop_queue('bench_floor')")


def _notifications(bench: Bench) -> float:
    taken = []
    with psycopg.connect(bench.dsn, autocommit=True) as listening:
        listening.execute("listen bench_floor")
        for _ in range(500):
            began = time.perf_counter()
            bench.connection.execute("notify bench_floor")
            next(listening.notifies(stop_after=1))
            taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 3)

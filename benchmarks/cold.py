"""Whether plans that were made at a bad moment cost anything: each figure is a share of the ordinary rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import sql

from benchmarks.bench import Bench
from benchmarks.flows import chain, fanout
from pgflow import Flow

_TABLES = ("runs", "step_states", "step_tasks")


def run(bench: Bench) -> dict[str, object]:
    """Measure a chain and a fan-out each after one of the bad moments, and without."""
    tasks, runs = bench.sized(10_000), bench.sized(2_000)
    return {
        "chain": _shares(bench, chain, range(runs), 3 * runs),
        "fanout": _shares(bench, fanout, [{"count": tasks, "padding": 0}], tasks),
    }


def _shares(bench: Bench, flow: Flow[Any], inputs: Sequence[object], items: int) -> dict[str, float]:
    ordinary = _rate(bench, flow, inputs, items, _warm)
    return {
        "per_second": round(ordinary, 1),
        "plans_of_empty_tables": round(_rate(bench, flow, inputs, items, _empty) / ordinary, 2),
        "after_vacuum_of_an_empty_queue": round(_rate(bench, flow, inputs, items, _vacuumed) / ordinary, 2),
        "stale_statistics": round(_rate(bench, flow, inputs, items, _stale) / ordinary, 2),
    }


def _rate(
    bench: Bench,
    flow: Flow[Any],
    inputs: Sequence[object],
    items: int,
    prepare: Callable[[Bench, Flow[Any], object], None],
) -> float:
    with bench.workers(flow) as workers:
        prepare(bench, flow, inputs[0])
        return items / bench.work_off(flow, inputs, workers).seconds


def _warm(bench: Bench, flow: Flow[Any], input: object) -> None:
    """Have the sessions seen a full queue, and the statistics of one."""
    bench.client.start_many(flow, [input] * 3)
    bench.until_done(flow)
    _analyze(bench, flow)


def _empty(bench: Bench, flow: Flow[Any], input: object) -> None:
    """Leave the sessions with plans from when there was nothing, and some of one run."""
    _stale(bench, flow, input)
    for _ in range(10):
        bench.client.start(flow, {"count": 0, "padding": 0} if isinstance(input, dict) else input).result()


def _vacuumed(bench: Bench, flow: Flow[Any], input: object) -> None:
    """Vacuum while the queue is empty, which leaves it a table of no pages and no rows."""
    _warm(bench, flow, input)
    bench.connection.execute(sql.SQL("vacuum (full, analyze) pgmq.{}").format(sql.Identifier(f"q_{flow.slug}")))


def _stale(bench: Bench, flow: Flow[Any], input: object) -> None:
    """Take statistics of empty tables that are full soon."""
    bench.connection.execute("truncate pgflow.runs, pgflow.step_states, pgflow.step_tasks, pgflow.task_items")
    _analyze(bench, flow)


def _analyze(bench: Bench, flow: Flow[Any]) -> None:
    for table in _TABLES:
        bench.connection.execute(sql.SQL("analyze pgflow.{}").format(sql.Identifier(table)))
    bench.connection.execute(sql.SQL("analyze pgmq.{}").format(sql.Identifier(f"q_{flow.slug}")))

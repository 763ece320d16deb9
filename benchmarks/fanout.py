"""One run with a fan-out of 10,000 tasks: what the engine costs a task."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.flows import fanout
from benchmarks.meter import measured


def run(bench: Bench) -> dict[str, object]:
    """Start the run and wait until it has completed."""
    count = bench.sized(10_000)
    with bench.workers(fanout) as workers:
        bench.client.start(fanout, {"count": count // 10, "padding": 0})
        bench.until_done(fanout)
        with measured(bench.connection, workers) as cost:
            started = bench.client.start(fanout, {"count": count, "padding": 0})
            bench.until_done(fanout)
    assert started.refresh().result() == {"total": count * (count - 1) // 2}
    return {"tasks": count, **cost.of_each(count)}

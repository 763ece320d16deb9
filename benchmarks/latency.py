"""One-step runs, one after the other: the time from start to result in the caller's hand."""

from __future__ import annotations

import statistics
import time

from benchmarks.bench import Bench
from benchmarks.flows import single


def run(bench: Bench) -> dict[str, object]:
    """Start a run, block until its result is there, and start the next."""
    count = bench.sized(10_000)
    taken = []
    with bench.workers(single, concurrency=10):
        for number in range(100):
            bench.client.start(single, number).result()
        for number in range(count):
            began = time.perf_counter()
            output = bench.client.start(single, number).result()
            taken.append((time.perf_counter() - began) * 1000)
            assert output == {"only": number + 1}
    percentiles = statistics.quantiles(taken, n=100)
    return {
        "runs": count,
        "p50_ms": round(percentiles[49], 2),
        "p99_ms": round(percentiles[98], 2),
        "max_ms": round(max(taken), 2),
    }

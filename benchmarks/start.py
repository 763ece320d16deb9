"""How many runs one caller starts in a second, one by one and in bulk, while no worker is there."""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.flows import chain, single


def run(bench: Bench) -> dict[str, object]:
    """Start runs of one step, and of three."""
    figures: dict[str, object] = {}
    for flow, name in ((single, "one_step"), (chain, "three_steps")):
        bench.client.register(flow, replace=True)
        bench.client.start_many(flow, range(1_000))
        alone, bulk = bench.sized(3_000), bench.sized(30_000)
        began = time.perf_counter()
        for number in range(alone):
            bench.client.start(flow, number)
        figures[f"{name}_per_second"] = round(alone / (time.perf_counter() - began), 1)
        began = time.perf_counter()
        bench.client.start_many(flow, range(bulk))
        figures[f"{name}_per_second_in_bulk"] = round(bulk / (time.perf_counter() - began), 1)
        bench.client.register(flow, replace=True)
    return figures

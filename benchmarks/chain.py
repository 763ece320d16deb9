"""Many runs of three steps in a row: what the engine costs a step."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.flows import chain
from benchmarks.meter import measured

_STEPS = 3


def run(bench: Bench) -> dict[str, object]:
    """Start the runs in bulk and wait until all have completed."""
    count = bench.sized(3_000)
    with bench.workers(chain) as workers:
        bench.client.start_many(chain, range(count // 10))
        bench.until_done(chain)
        with measured(bench.connection, workers) as cost:
            runs = bench.client.start_many(chain, range(count))
            bench.until_done(chain)
    assert runs[-1].refresh().result() == {"third": count + _STEPS - 1}
    return {"steps": count * _STEPS, **cost.of_each(count * _STEPS)}

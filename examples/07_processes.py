"""Computing on every core: handlers in processes.

``python examples/07_processes.py`` prints::

    17984 primes below 200000
"""

from concurrent.futures import ProcessPoolExecutor
from math import isqrt
from multiprocessing import get_context

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("count-primes", input=int)


@flow.step
def split(run: int) -> list[tuple[int, int]]:
    return [(start, min(start + 25_000, run)) for start in range(2, run, 25_000)]


@flow.step(depends_on=[split], fanout=True)
def count(bounds: tuple[int, int]) -> int:
    """Compute where no other handler holds the interpreter's lock."""
    return sum(all(number % divisor for divisor in range(2, isqrt(number) + 1)) for number in range(*bounds))


@flow.step(depends_on=[count])
def total(run: int, count: list[int]) -> str:
    return f"{sum(count)} primes below {run}"


if __name__ == "__main__":  # each process imports this file, and is to start nothing
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        pool = ProcessPoolExecutor(2, get_context("spawn"))
        with Worker(flow, dsn, executor=pool, concurrency=2), FlowClient(dsn) as client:
            print(client.start(flow, 200_000).step(total).result(timeout=60))

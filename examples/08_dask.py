"""Computing on many machines: handlers on a Dask cluster (``pip install 'pgflow-sdk[dask]'``), here of two processes.

``python examples/08_dask.py`` prints::

    pi is about 3.14
"""

import random

from distributed import Client

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("throw-darts", input=int)


@flow.step
def seeds(run: int) -> list[int]:
    return list(range(run))


@flow.step(depends_on=[seeds], fanout=True)
def throw(seed: int) -> float:
    """Run where the cluster has room; by its seed, another attempt throws the same darts."""
    dice = random.Random(seed)
    return sum(dice.random() ** 2 + dice.random() ** 2 < 1 for _ in range(50_000)) / 50_000


@flow.step(depends_on=[throw])
def estimate(throw: list[float]) -> str:
    return f"pi is about {4 * sum(throw) / len(throw):.2f}"


if __name__ == "__main__":  # each process imports this file; on other machines, it takes a module that they have
    with server_dsn(".pgflow") as dsn, Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as dask:
        migrations.upgrade(dsn)
        with Worker(flow, dsn, executor=dask.get_executor(), concurrency=2), FlowClient(dsn) as client:
            print(client.start(flow, 20).step(estimate).result(timeout=60))

"""Two steps side by side, and one that waits for both.

``python examples/04_diamond.py`` prints::

    12.50 euros
"""

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("quote-parcel", input=str)


@flow.step
def measure(run: str) -> list[float]:
    return [float(number) for number in run.split()]


@flow.step("by-weight", depends_on=[measure])
def by_weight(measure: list[float]) -> float:
    return 2.5 * measure[0]


@flow.step("by-volume", depends_on=[measure])
def by_volume(measure: list[float]) -> float:
    return 0.2 * measure[1]


@flow.step(depends_on=[by_weight, by_volume])
def quote(by_weight: float, by_volume: float) -> str:
    """Take both; a dash in a slug is an underscore in the parameter's name."""
    return f"{max(by_weight, by_volume):.2f} euros"


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client:
            print(client.start(flow, "5 40").step(quote).result(timeout=60))

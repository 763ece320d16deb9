"""One task for each item, side by side.

``python examples/03_fanout.py`` prints::

    [5, 7, 6]
    18 letters
"""

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("count-letters", input=str)


@flow.step
def split(run: str) -> list[str]:
    """Return the array that the next step fans out over."""
    return run.split()


@flow.step(depends_on=[split], fanout=True)
def measure(word: str) -> int:
    """Take one item; all of them run at once, and their results come in the order of the items."""
    return len(word)


@flow.step(depends_on=[measure])
def total(measure: list[int]) -> str:
    """Take all results."""
    return f"{sum(measure)} letters"


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client:
            run = client.start(flow, "seven islands remain").wait(timeout=60)
            print(run.step(measure).output, run.step(total).output, sep="\n")

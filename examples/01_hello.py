"""Two steps, from start to result.

``python examples/01_hello.py`` prints::

    started a run of hello
    HELLO, ADA!
"""

from pgflow import Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("hello", input=str)


@flow.step
def greet(run: str) -> str:
    """Take the run's input."""
    return f"Hello, {run}!"


@flow.step(depends_on=[greet])
def shout(greet: str) -> str:
    """Take what the step ``greet`` returned."""
    return greet.upper()


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client:
            run = client.start(flow, "Ada")
            print("started a run of", run.flow_slug)
            print(run.step(shout).result(timeout=60))

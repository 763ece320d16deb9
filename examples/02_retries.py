"""A step that works at the third attempt, and one that gives up.

``python examples/02_retries.py`` prints::

    answered at the third knock
    no: nobody of that name lives here
"""

from pgflow import Context, FailPermanently, Flow, FlowClient, RetryAfter, RunFailedError, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("knock", input=str, max_attempts=5)


@flow.step
def knock(run: str, ctx: Context) -> str:
    """Raise to be tried again: any exception after a growing pause, `RetryAfter` when it says."""
    if run == "Nemo":
        raise FailPermanently("nobody of that name lives here")
    if ctx.attempt < 3:
        raise RetryAfter(0.2)
    return "answered at the third knock"


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client:
            print(client.start(flow, "Ines").step(knock).result(timeout=60))
            try:
                client.start(flow, "Nemo").result(timeout=60)
            except RunFailedError as exc:
                print("no:", exc.error_message)

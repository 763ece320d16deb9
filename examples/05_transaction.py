"""One transaction for your tables and the run: at its start, and where a step completes.

``python examples/05_transaction.py`` prints::

    done at attempt 2
    booked (1,)
"""

from uuid import UUID, uuid4

import psycopg

from pgflow import Context, Flow, FlowClient, RetryAfter, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("book-order", input=UUID)


@flow.step
def book(run: UUID, ctx: Context) -> int:
    """Write by `ctx.connection`: that is committed with the step's completion, or undone with the attempt."""
    ctx.connection.execute("update example_orders set booked = booked + 1 where id = %s", [run])
    if ctx.attempt == 1:
        raise RetryAfter(0)
    return ctx.attempt


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client, psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create table if not exists example_orders (id uuid primary key, booked int default 0)")
            with connection.transaction():
                order = uuid4()
                connection.execute("insert into example_orders (id) values (%s)", [order])
                run = client.start(flow, order, connection=connection)
            print("done at attempt", run.step(book).result(timeout=60))
            print("booked", *connection.execute("select booked from example_orders where id = %s", [order]))

"""What a database is set to for its other users does not stop ours."""

from __future__ import annotations

from psycopg.sql import SQL, Identifier

from pgflow import Flow, FlowClient, Worker
from tests.plugins.databases import Connection
from tests.plugins.waiting import DEADLINE

flow = Flow("shout", input=str)


@flow.step
def shout(run: str) -> str:
    return run.upper()


def test_a_database_whose_default_is_serializable(dsn: str, database: Connection) -> None:
    database.execute(
        SQL("alter database {} set default_transaction_isolation = 'serializable'").format(
            Identifier(database.info.dbname)
        )
    )
    with Worker(flow, dsn), FlowClient(dsn) as client:
        assert client.start(flow, "hello").result(timeout=DEADLINE) == {"shout": "HELLO"}

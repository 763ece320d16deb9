"""SQLAlchemy on both sides: a session starts the run, and another one is its step's.

``python examples/06_sqlalchemy.py`` prints::

    paid: True
"""

from functools import partial

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from pgflow import Context, Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

flow = Flow("pay-invoice", input=int)


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "example_invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    paid: Mapped[bool] = mapped_column(default=False)


@flow.step
def pay(run: int, ctx: Context) -> None:
    """Change what `ctx.session` holds: it is flushed at the end, and committed with the step's completion."""
    ctx.session.get_one(Invoice, run).paid = True


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        engine = create_engine("postgresql+psycopg://", creator=partial(psycopg.connect, dsn))
        Base.metadata.create_all(engine)
        with Worker(flow, dsn), FlowClient(dsn) as client, Session(engine) as session:
            invoice = Invoice()
            session.add(invoice)
            session.flush()
            run = client.start(flow, invoice.id, connection=session)
            session.commit()
            run.result(timeout=60)
            print("paid:", invoice.paid)
        engine.dispose()

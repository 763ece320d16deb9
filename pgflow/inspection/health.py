"""Whether a database is fit for pgflow: what was looked at, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Any, LiteralString
from uuid import uuid4

import psycopg
from attrs import frozen

from pgflow import migrations
from pgflow.dsn import resolve
from pgflow.engine.borrowing import BorrowedConnector
from pgflow.engine.pool import Connection, connect
from pgflow.errors import FlowShapeError, SchemaError, UnknownFlowError
from pgflow.inspection import health_statements as statements
from pgflow.schema.pgmq import missing_sql

if TYPE_CHECKING:
    from pgflow.dsl import Flow

__all__ = ["Finding", "Level", "examine"]

_OLDEST_SERVER = 15
#: Seconds after which a notification is given up: it takes milliseconds.
_PATIENCE = 5.0


class Level(StrEnum):
    """How much a finding matters."""

    #: All is well.
    OK = "ok"
    #: Worth knowing; pgflow works.
    NOTICE = "notice"
    #: Something has to be done.
    PROBLEM = "problem"


@frozen
class Finding:
    """What one look has found."""

    #: What was looked at, in one word.
    subject: str
    level: Level
    message: str
    #: What to do about it; empty where all is well.
    advice: str = ""


def examine(
    dsn: str | None = None,
    flows: Iterable[Flow[Any]] = (),
    *,
    listen_dsn: str | None = None,
    oldest_transaction: float = 300.0,
    thorough: bool = True,
) -> Iterator[Finding]:
    """Yield what is found in a database, in the order of looking; each subject has at least one finding.

    Where the schema is missing or another version's, nothing beyond it is looked at.

    :param dsn: None is the environment's ``PGFLOW_DSN``.
    :param flows: those whose shape the database should have.
    :param listen_dsn: the way by which workers and clients listen, if that is another than ``dsn``.
    :param oldest_transaction: seconds that a transaction may be open before it is a finding.
    :param thorough: whether the invariants are checked as well, which reads everything.
    :raises psycopg.OperationalError: if the database cannot be reached.
    """
    conninfo = resolve(dsn)
    with closing(_connect(conninfo)) as connection:
        yield _server(connection)
        schema = _schema(connection)
        yield schema
        if schema.level is Level.PROBLEM:
            return
        yield from _permitted("pgmq", connection, _pgmq)
        yield from _permitted("roles", connection, _roles)
        yield _notifications(connection, conninfo if listen_dsn is None else resolve(listen_dsn))
        for flow in flows:
            yield from _permitted("flows", connection, lambda connection, flow=flow: [_flow(connection, flow)])
        yield from _transactions(connection, oldest_transaction)
        if thorough:
            yield from _permitted("invariants", connection, _invariants)


def _connect(conninfo: str) -> Connection:
    # A pooler may hand each statement to another session, which has none prepared.
    return connect(conninfo, name="pgflow check", prepare_threshold=None)


def _permitted(subject: str, connection: Connection, look: Any) -> list[Finding]:
    """What a look finds, or that the role may not look."""
    try:
        return list(look(connection))
    except psycopg.errors.InsufficientPrivilege as error:
        words = f"not looked at: {error.diag.message_primary}"
        return [Finding(subject, Level.NOTICE, words, "look again as a member of the role pgflow_migrator")]


def _server(connection: Connection) -> Finding:
    version = connection.info.server_version // 10_000
    if version < _OLDEST_SERVER:
        advice = f"move to PostgreSQL {_OLDEST_SERVER} or later"
        return Finding("server", Level.PROBLEM, f"PostgreSQL {version} is older than what pgflow supports", advice)
    return Finding("server", Level.OK, f"PostgreSQL {version}")


def _schema(connection: Connection) -> Finding:
    try:
        migrations.check(connection)
    except SchemaError as error:
        words, _, advice = str(error).rpartition(": ")
        return Finding("schema", Level.PROBLEM, words, advice)
    except psycopg.errors.InsufficientPrivilege:
        user = _value(connection, "select current_user::text")
        return Finding(
            "schema",
            Level.PROBLEM,
            f"the role {user} may not look into the schema",
            f"give it one of the roles pgflow_client, pgflow_worker and pgflow_migrator: grant pgflow_client to {user}",
        )
    found = migrations.current(connection)
    if found != migrations.head():
        advice = "go on as you are, and upgrade this installation when you can: pip install --upgrade pgflow-sdk"
        return Finding("schema", Level.NOTICE, f"revision {found} is newer than this code, and works with it", advice)
    return Finding("schema", Level.OK, f"revision {found}")


def _pgmq(connection: Connection) -> Iterator[Finding]:
    if _value(connection, statements.HAS_PGMQ) is False:
        yield Finding(
            "pgmq", Level.PROBLEM, "the schema pgmq is gone, and with it every queue", "restore it from a backup"
        )
        return
    missing = connection.execute(missing_sql().encode()).fetchone()
    if missing is not None and missing[0] is not None:
        yield Finding("pgmq", Level.PROBLEM, f"it lacks {missing[0]}", "update pgmq: alter extension pgmq update")
    lost = [slug for (slug,) in connection.execute(statements.MISSING_QUEUES)]
    for slug in lost:
        yield Finding(
            "pgmq",
            Level.PROBLEM,
            f"the queue of flow {slug!r} is gone, and its open runs cannot end",
            f'restore the table pgmq."q_{slug.lower()}", or delete the flow with its runs and define it anew: '
            f"select pgmq.create('{slug}'); select pgflow.delete_flow('{slug}')",
        )
    if not lost and missing is not None and missing[0] is None:
        yield Finding("pgmq", Level.OK, "it has what is needed, and every flow has its queue")


def _roles(connection: Connection) -> Iterator[Finding]:
    abilities = connection.execute(statements.ABILITIES).fetchall()
    user = abilities[0][0]
    able = [ability for _, ability, may in abilities if may]
    if able:
        yield Finding("roles", Level.OK, f"{user} may {', '.join(able)}")
    else:
        yield Finding(
            "roles",
            Level.PROBLEM,
            f"{user} may neither start runs nor work",
            f"grant pgflow_client to {user}, or pgflow_worker",
        )
    grants = f"run {migrations.script_location()}/versions/*/grants.sql by psql, oldest first"
    missing = [name for (name,) in connection.execute(statements.MISSING_ROLES)]
    if missing:
        yield Finding(
            "roles",
            Level.NOTICE,
            f"there is no role {', '.join(missing)}: only the schema's owner can use it",
            f"create the roles, and {grants}",
        )
    powerless = [name for (name,) in connection.execute(statements.POWERLESS_ROLES)]
    if powerless:
        yield Finding(
            "roles",
            Level.NOTICE,
            f"{', '.join(powerless)} was granted nothing here",
            f"as the schema's owner, {grants}",
        )


def _notifications(connection: Connection, conninfo: str) -> Finding:
    """Listen on one connection and notify by another: by its own, an answer would bring it even behind a pooler."""
    channel = f"pgflow:probe:{uuid4()}"
    with closing(_connect(conninfo)) as listening:
        listening.execute(psycopg.sql.SQL("listen {}").format(psycopg.sql.Identifier(channel)))
        connection.execute("select pg_notify(%s, '')", [channel])
        arrived = any(listening.notifies(timeout=_PATIENCE, stop_after=1))
    if arrived:
        return Finding("listen", Level.OK, "what is notified arrives")
    return Finding(
        "listen",
        Level.NOTICE,
        "LISTEN delivers nothing, as behind PgBouncer in transaction mode: runs and queues are polled instead",
        "for promptness give clients and workers a direct connection as listen_dsn, or PGFLOW_LISTEN_DSN",
    )


def _flow(connection: Connection, flow: Flow[Any]) -> Finding:
    try:
        BorrowedConnector(connection).check_flow(flow.definition())
    except UnknownFlowError:
        words = f"the database does not know flow {flow.slug!r}"
        return Finding("flows", Level.PROBLEM, words, "start a worker for it, or call client.register(flow)")
    except FlowShapeError as error:
        return Finding(
            "flows",
            Level.PROBLEM,
            f"the database holds flow {flow.slug!r} in another shape: {'; '.join(error.differences)}",
            "give the changed flow another slug, or delete it with its runs: client.register(flow, replace=True)",
        )
    return Finding("flows", Level.OK, f"{flow.slug} is as in the code")


def _transactions(connection: Connection, seconds: float) -> Iterator[Finding]:
    found = connection.execute(statements.OLD_TRANSACTIONS, {"seconds": seconds}).fetchall()
    for who, age, remedy in found:
        yield Finding(
            "transactions",
            Level.PROBLEM,
            f"{who} has been in one transaction for {age:.0f} s: nothing that finishes meanwhile can be vacuumed away, "
            "and queues get slower",
            f"let it end, or end it: {remedy}",
        )
    if _value(connection, statements.SEES_OTHERS) is False:
        yield Finding(
            "transactions",
            Level.NOTICE,
            "those of other roles are not visible to this one",
            "grant it pg_read_all_stats to see them",
        )
    elif not found:
        yield Finding("transactions", Level.OK, f"none is older than {seconds:g} s")


def _invariants(connection: Connection) -> Iterator[Finding]:
    found = connection.execute(statements.INVARIANTS).fetchall()
    for invariant, run_id, step_slug, task_index, detail in found:
        place = ", ".join(
            f"{name} {value}"
            for name, value in (("run", run_id), ("step", step_slug), ("task", task_index))
            if value is not None
        )
        yield Finding(
            "invariants",
            Level.PROBLEM,
            f"{invariant}: {detail}{f' ({place})' if place else ''}",
            "this comes of changes by hand, of a restored part of the database, or of a defect: please report that; "
            "the run can be started anew",
        )
    if not found:
        yield Finding("invariants", Level.OK, "all hold")


def _value(connection: Connection, query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]

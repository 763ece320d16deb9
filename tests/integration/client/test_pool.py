"""The pool of a connector, after everything in it was cut off."""

from __future__ import annotations

import select
from contextlib import ExitStack

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow.engine.pool import Pool
from tests.plugins.databases import Connection
from tests.plugins.waiting import DEADLINE, meanwhile, until


def is_closed_by_the_server(session: int) -> bool:
    """Whether the other end of a socket is gone: a server forgets a session before it closes it."""
    poll = select.poll()
    poll.register(session, getattr(select, "POLLRDHUP", 0))  # a hang-up of both directions is always told
    return bool(poll.poll(0))


def whole(pool: Pool, size: int) -> list[Connection]:
    """All connections that a pool of such a size can have; they are in it again."""
    with ExitStack() as lent:
        return [lent.enter_context(pool.connection()) for _ in range(size)]


def test_dead_connections_are_passed_over_without_a_pause(dsn: str, database: Connection) -> None:
    pool = Pool(dsn, size=8, timeout=5, prepare_threshold=5)
    try:
        connections = whole(pool, 8)
        pids = [connection.info.backend_pid for connection in connections]
        sessions = [connection.fileno() for connection in connections]
        database.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", [pids])
        until(lambda: all(map(is_closed_by_the_server, sessions)))

        with pool.connection() as connection:
            assert connection.execute("select 42").fetchone() == (42,)
    finally:
        pool.close()


def test_who_waits_through_an_outage_is_served_soon_after_it(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgflow.engine.pool._RECONNECT_SECONDS", 0.1)
    pool = Pool(dsn, size=2, timeout=3 * DEADLINE, prepare_threshold=5)
    name = conninfo_to_dict(dsn)["dbname"]
    sessions = [connection.fileno() for connection in whole(pool, 2)]

    def answer() -> object:
        with pool.connection() as connection:
            return connection.execute("select 42").fetchone()

    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as server:
        server.execute(f'alter database "{name}" with allow_connections false'.encode())
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        until(lambda: all(map(is_closed_by_the_server, sessions)))
        with meanwhile(answer) as waiting:
            lent = pool._pool
            assert lent is not None
            until(lambda: lent.get_stats()["pool_size"] == 0, "a pool that has given up")
            server.execute(f'alter database "{name}" with allow_connections true'.encode())
            assert waiting.result(DEADLINE) == (42,)
    pool.close()

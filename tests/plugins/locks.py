"""What sessions wait for: a test that needs somebody to wait looks at PostgreSQL's locks, not at the clock."""

from __future__ import annotations

import time

from tests.plugins.engine import Engine

DEADLINE = 10.0
"""Seconds after which a session that was expected to wait is given up."""


def wait_until_blocked(observer: Engine, session: Engine) -> None:
    """Return once `session` waits for a lock that somebody else holds; `observer` is any other session."""
    deadline = time.monotonic() + DEADLINE
    while not observer.value("select pg_blocking_pids(%s) <> '{}'", session.connection.info.backend_pid):
        assert time.monotonic() < deadline, "the session did not come to wait for a lock"


def wait_until_running(observer: Engine, session: Engine, query: str) -> None:
    """Return once `session` is in the middle of a query that is like `query`; `observer` is any other session."""
    deadline = time.monotonic() + DEADLINE
    running = "select count(*) = 1 from pg_stat_activity where pid = %s and state = 'active' and query like %s"
    while not observer.value(running, session.connection.info.backend_pid, query):
        assert time.monotonic() < deadline, "the session did not come to run the query"

"""What sessions wait for: a test that needs somebody to wait looks at PostgreSQL's locks, not at the clock."""

from __future__ import annotations

from tests.plugins.engine import Engine
from tests.plugins.waiting import until


def is_blocked(observer: Engine, session: Engine) -> bool:
    """Whether `session` waits for a lock that somebody else holds; `observer` is any other session."""
    pid = session.connection.info.backend_pid
    return bool(observer.value("select pg_blocking_pids(%s) <> '{}'", pid))


def wait_until_blocked(observer: Engine, session: Engine) -> None:
    """Return once `session` waits for a lock that somebody else holds; `observer` is any other session."""
    until(lambda: is_blocked(observer, session), "a session that waits for a lock")


def wait_until_running(observer: Engine, session: Engine, query: str) -> None:
    """Return once `session` is in the middle of a query that is like `query`; `observer` is any other session."""
    pid = session.connection.info.backend_pid
    running = "select count(*) = 1 from pg_stat_activity where pid = %s and state = 'active' and query like %s"
    until(lambda: observer.value(running, pid, query), f"a session in the middle of {query!r}")

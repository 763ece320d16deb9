"""Listening sessions, and whoever is told what they hear, as a test sees them."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from pgflow.connector import PsycopgConnector
from pgflow.events import Event
from pgflow.models import RunSnapshot
from tests.plugins.engine import Engine
from tests.plugins.waiting import until


@define
class Listeners:
    """The listening sessions of the database, as PostgreSQL shows them."""

    _engine: Engine

    def queries(self) -> list[str]:
        """The last statement of each."""
        rows = self._engine.rows(
            "select query from pg_stat_activity "
            "where datname = current_database() and application_name = 'pgflow listener'"
        )
        return [row["query"] for row in rows]

    def wait_for_statement(self, part: str) -> None:
        """Return once the last statement of one of them contains ``part``."""
        until(lambda: any(part in query for query in self.queries()), f"a listener that has said {part!r}")

    def wait_until_idle(self) -> None:
        """Return once each has watched the first runs that it was asked for, and waits for notifications."""
        until(
            lambda: self._engine.value(
                "select count(*) > 0 and bool_and(state = 'idle' and query !~ '^$|(^|;)listen |pg_backend_pid') "
                "from pg_stat_activity where datname = current_database() and application_name = 'pgflow listener'"
            ),
            "a listener that waits",
        )

    def terminate(self) -> int:
        """End each of these sessions, and return how many there were; none is there any more then."""
        rows = self._engine.rows(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and application_name = 'pgflow listener'"
        )
        return len(rows)


def wait_until_deaf(connector: PsycopgConnector) -> None:
    """Return once the listener of a connector listens on nothing any more."""
    session = connector._listener._session
    assert session is not None
    until(lambda: not session.channels, "a listener without channels")


@define(eq=False)
class Observer:
    """Follows a run and remembers what it was told; what it does on being told can be said."""

    snapshots: list[RunSnapshot] = field(factory=list)
    events: list[Event] = field(factory=list)
    errors: list[Exception] = field(factory=list)
    version: int = 0
    then: Callable[[], object] = lambda: None

    def on_snapshot(self, snapshot: RunSnapshot) -> None:
        self.snapshots.append(snapshot)
        self.then()

    def on_event(self, event: Event) -> None:
        self.events.append(event)
        self.then()

    def on_error(self, error: Exception) -> None:
        self.errors.append(error)
        self.then()

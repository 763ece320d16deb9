"""`FlowClient`: starts runs and finds them again."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload
from uuid import UUID
from weakref import WeakValueDictionary

from pgflow.abc import Client
from pgflow.client.run import FlowRun
from pgflow.client.state import RunState
from pgflow.client.values import Values
from pgflow.client.watch import RunWatch
from pgflow.dsl import Flow
from pgflow.dsl.slugs import check_flow_slug
from pgflow.engine.rows import clean_text
from pgflow.errors import InvalidKeyError, InvalidSlugError, UnknownFlowError, UnknownRunError
from pgflow.models import RunRow

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from pgflow.engine.borrowed import Borrowed

__all__ = ["FlowClient"]

In = TypeVar("In")


class FlowClient:
    """Starts runs of flows and follows them. One client serves a whole process: many threads, and forked children.

    Nothing is opened before the first call. ``dsn`` and ``listen_dsn`` are described in `pgflow.dsn`; None means
    ``PGFLOW_DSN``, and `DsnError` is raised where that is missing too. Where ``dsn`` leads through a pooler in
    transaction mode, runs are polled for, unless ``listen_dsn`` names a direct connection. ``connector`` replaces them
    by something of the caller's, which the caller closes.
    """

    def __init__(
        self,
        dsn: str | URL | None = None,
        *,
        listen_dsn: str | URL | None = None,
        pool_size: int = 10,
        connector: Client | None = None,
    ) -> None:
        if connector is not None and (dsn is not None or listen_dsn is not None):
            raise TypeError("FlowClient takes a DSN or a connector, not both")
        self._owns_connector = connector is None
        self._connector = connector or _connect(dsn, listen_dsn, pool_size)
        # Whoever looks at a run shares what is known of it, and each event happens once in a process.
        self._watches: WeakValueDictionary[UUID, RunWatch] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"FlowClient({self._connector!r})"

    @overload
    def start(
        self,
        flow: Flow[In],
        input: In = ...,
        *,
        run_id: UUID | str | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> FlowRun: ...
    @overload
    def start(
        self,
        flow: str,
        input: Any = None,
        *,
        run_id: UUID | str | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> FlowRun: ...
    def start(
        self,
        flow: Flow[Any] | str,
        input: Any = None,
        *,
        run_id: UUID | str | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> FlowRun:
        """Start a run, and return it.

        The same ``run_id`` or ``idempotency_key`` again, with the same flow and input, returns the run that there is.
        On ``connection``, a psycopg connection, a SQLAlchemy ``Connection`` or ``Session``, or Django's, the run is
        part of the caller's transaction: it exists if that commits, and only then can it be waited for.

        :raises UnknownFlowError: the database does not know the flow; starting never defines one.
        :raises NotJsonError: the input is not what the flow takes, or cannot be stored.
        :raises InvalidKeyError: the id is no UUID, or the key is no text, has what text cannot hold, or is too long.
        :raises RunConflictError: the id or key belongs to a run of another flow or with another input.
        """
        values, slug = _flow(flow)
        connection = self._connection_of(connection)
        row = self._connector.start_flow(
            slug,
            values.dump_input(input),
            run_id=None if run_id is None else _uuid(run_id, InvalidKeyError),
            idempotency_key=None if idempotency_key is None else _key(idempotency_key),
            connection=connection,
        )
        return FlowRun(self, self._watch(row, _in_transaction(connection)), values)

    @overload
    def start_many(self, flow: Flow[In], inputs: Iterable[In], *, connection: Any = None) -> list[FlowRun]: ...
    @overload
    def start_many(self, flow: str, inputs: Iterable[Any], *, connection: Any = None) -> list[FlowRun]: ...
    def start_many(self, flow: Flow[Any] | str, inputs: Iterable[Any], *, connection: Any = None) -> list[FlowRun]:
        """Start a run for each input, all or none of them, and return them in that order.

        A thousand go in one round trip. It raises what `start` does.
        """
        values, slug = _flow(flow)
        connection = self._connection_of(connection)
        rows = self._connector.start_flows(slug, [values.dump_input(each) for each in inputs], connection=connection)
        borrowed = _in_transaction(connection)
        return [FlowRun(self, self._watch(row, borrowed), values) for row in rows]

    def get_run(self, run_id: UUID | str) -> FlowRun:
        """Return a run as the tables have it; its values are plain JSON.

        :raises UnknownRunError: there is no such run, or that is no run id.
        """
        key = _uuid(run_id, UnknownRunError)
        snapshot = self._connector.get_run_with_states(key)
        if snapshot is None:
            raise UnknownRunError(f"there is no run {key}")
        watch = self._watch(snapshot.run)
        watch.on_snapshot(snapshot)
        return FlowRun(self, watch, Values(None))

    def register(self, flow: Flow[Any], *, replace: bool = False) -> None:
        """Define a flow that the database does not have, or update its options, as a starting worker does.

        With ``replace`` the flow is deleted first, with all its runs, and defined anew, in one transaction.

        :raises FlowShapeError: the database has it with other steps, dependencies or types.
        """
        self._connector.ensure_flow(flow.definition(), replace=replace)

    def close(self) -> None:
        """Close every connection; callers that still wait are told by a `PgflowError`. Idempotent and final."""
        if self._owns_connector:
            self._connector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _connection_of(self, given: Any) -> Any:
        """Return the connection that a start goes by, None for one of our own; frameworks have one to offer."""
        return given

    def _watch(self, row: RunRow, borrowed: Borrowed | None = None) -> RunWatch:
        return self._watches.setdefault(row.run_id, RunWatch(self._connector, RunState(row), borrowed))


def _connect(dsn: Any, listen_dsn: Any, pool_size: int) -> Client:
    from pgflow.connector import PsycopgConnector

    return PsycopgConnector(dsn, listen_dsn=listen_dsn, pool_size=pool_size)


def _flow(flow: Flow[Any] | str) -> tuple[Values, str]:
    if isinstance(flow, str):
        try:
            return Values(None), check_flow_slug(flow)
        except InvalidSlugError as exc:
            raise UnknownFlowError(f"there can be no such flow: {exc}") from exc
    if isinstance(flow, Flow):
        return Values(flow), flow.slug
    raise TypeError(f"a flow is named by its slug or given as a Flow; got {flow!r}")


def _uuid(run_id: UUID | str, error: type[Exception]) -> UUID:
    try:
        return run_id if isinstance(run_id, UUID) else UUID(run_id)
    except (AttributeError, TypeError, ValueError) as exc:
        raise error(f"{reprlib.repr(run_id)} is no run id: a run id is a UUID") from exc


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidKeyError(f"an idempotency key is a str, got {type(key).__name__}: use str()")
    if clean_text(key) != key:
        raise InvalidKeyError("an idempotency key cannot hold a NUL character or a lone surrogate")
    return key


def _in_transaction(connection: Any) -> Borrowed | None:
    """Return the caller's connection if its transaction is still open, None where there is none to be waited for."""
    if connection is None:
        return None
    from pgflow.engine.borrowed import borrow

    borrowed = borrow(connection)
    return borrowed if borrowed.in_transaction() else None

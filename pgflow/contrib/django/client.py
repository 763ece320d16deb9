"""The client of a Django project: one in each process."""

from __future__ import annotations

import threading
from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper

from pgflow._fork import forget_after_fork
from pgflow.client import FlowClient
from pgflow.contrib.django import conf
from pgflow.dsl import Flow
from pgflow.engine.borrowing import BorrowedConnector

__all__ = ["DjangoClient", "get_client"]


class DjangoClient(FlowClient):
    """A client that goes by Django's connection while a transaction is open on it.

    So what is started inside ``transaction.atomic()`` starts with its commit. All else goes by connections of the
    client's own.
    """

    def register(self, flow: Flow[Any], *, replace: bool = False) -> None:
        """Define a flow, in Django's transaction if one is open; see `FlowClient.register`."""
        connection = self._connection_of(None)
        if connection is None:
            super().register(flow, replace=replace)
        else:
            BorrowedConnector(connection).ensure_flow(flow.definition(), replace=replace)

    def _connection_of(self, given: Any) -> Any:
        if given is not None:
            return given
        connection = conf.database()
        return connection if _is_in_transaction(connection) else None


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    if connection.in_atomic_block:
        return True
    if connection.connection is None:
        # Not get_autocommit(): that would connect, in order to say what the project's settings say.
        return not connection.settings_dict["AUTOCOMMIT"]
    return not connection.autocommit


class _Current:
    """The client of this process, and where it goes."""

    def __init__(self) -> None:
        self._client: DjangoClient | None = None
        self._made_for: tuple[Any, ...] = ()
        self.after_fork()
        forget_after_fork(self)

    def after_fork(self) -> None:
        """Keep the client, which sees to itself."""
        self._lock = threading.Lock()

    def get(self) -> DjangoClient:
        """Return the client, another one where the settings or the name of the database have changed."""
        configuration = conf.configuration()
        dsn, listen_dsn = conf.dsns_of(configuration)
        wanted = dsn, listen_dsn, configuration.pool_size
        with self._lock:
            if self._client is None or self._made_for != wanted:
                self._close()
                self._client = DjangoClient(dsn, listen_dsn=listen_dsn, pool_size=configuration.pool_size)
                self._made_for = wanted
            return self._client

    def close(self) -> None:
        """Close the client; the next one who asks is given another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


_current = _Current()


def get_client() -> FlowClient:
    """Return the client of this process; nothing is opened before it is used.

    It goes where the project's settings say (`pgflow.contrib.django.conf`) and follows them, and the database's name,
    as they change in tests.

    :raises ImproperlyConfigured: there is no database that pgflow can work with.
    """
    return _current.get()


def leave_test_database(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Close the client when Django is about to copy or drop the database of a test, which nobody may be using then.

    A receiver of ``connection_created``: Django does that from another database, under an alias of its own.
    """
    if connection.alias == NO_DB_ALIAS and conf.is_a_test_database():
        _current.close()

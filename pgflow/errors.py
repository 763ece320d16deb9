"""Everything that pgflow raises, and the one place where SQLSTATEs become exceptions.

::

    PgflowError
    ├── DefinitionError (ValueError)        a flow that cannot be
    │   ├── InvalidSlugError
    │   ├── DuplicateStepError
    │   ├── UnknownDependencyError
    │   └── HandlerSignatureError
    ├── FlowShapeError                      the database holds the flow in another shape
    ├── UnknownFlowError (LookupError)
    ├── UnknownStepError (LookupError)
    ├── UnknownRunError (LookupError)
    ├── InvalidKeyError (ValueError)        a run id or idempotency key that cannot be one
    ├── RunConflictError                    a run id or key reused with another flow or input
    ├── NotJsonError (ValueError)           a value that jsonb or Python cannot hold, or that does not fit its type
    ├── RunFailedError                      the awaited run failed
    ├── WaitTimeoutError (TimeoutError)
    ├── RunNotCommittedError                waiting for a run that nobody else can see
    ├── DsnError (ValueError)               no server was named, or not in a form libpq takes
    ├── SettingsError (ValueError)          a web application's configuration has what cannot be used
    ├── ClientClosedError                   a client that was closed is used, or waited with
    ├── ServerGoneError (ConnectionError)   the server did not come back while a run was awaited
    ├── ProcessDiedError                    the process that ran a handler crashed, was killed, or did not start
    ├── ExtraMissingError (ImportError)     an optional library that was asked for is not installed
    ├── EmbeddedServerError                 the embedded PostgreSQL does not start, run or stop
    ├── IsolationLevelError                 a transition outside READ COMMITTED
    └── SchemaError                         the database is not at a revision this code works with
        ├── SchemaMissingError
        ├── SchemaTooOldError
        └── SchemaTooNewError

Errors of the connection itself stay psycopg's own: they are the server's words, and code that retries knows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

    from pgflow.abc import FlowRunView

__all__ = [
    "ClientClosedError",
    "DefinitionError",
    "DsnError",
    "DuplicateStepError",
    "EmbeddedServerError",
    "ExtraMissingError",
    "FlowShapeError",
    "HandlerSignatureError",
    "InvalidKeyError",
    "InvalidSlugError",
    "IsolationLevelError",
    "NotJsonError",
    "PgflowError",
    "ProcessDiedError",
    "RunConflictError",
    "RunFailedError",
    "RunNotCommittedError",
    "SchemaError",
    "SchemaMissingError",
    "SchemaTooNewError",
    "SchemaTooOldError",
    "ServerGoneError",
    "SettingsError",
    "UnknownDependencyError",
    "UnknownFlowError",
    "UnknownRunError",
    "UnknownStepError",
    "WaitTimeoutError",
    "from_database",
]


class PgflowError(Exception):
    """The root of everything pgflow raises."""


class DefinitionError(PgflowError, ValueError):
    """A flow or step has been defined in a way that cannot work."""


class InvalidSlugError(DefinitionError):
    """A slug is empty, reserved, too long, or holds a character that slugs may not hold."""


class DuplicateStepError(DefinitionError):
    """Two steps of one flow share a slug."""


class UnknownDependencyError(DefinitionError):
    """A step depends on one that its flow does not have."""


class HandlerSignatureError(DefinitionError):
    """A handler has a parameter that nothing can fill, or is no plain function."""


class FlowShapeError(PgflowError):
    """The database holds this flow with other steps, dependencies or types.

    ``differences`` has one sentence for each.
    """

    def __init__(self, message: str, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.differences = differences


class UnknownFlowError(PgflowError, LookupError):
    """A run was asked of a flow that the database does not know."""


class UnknownStepError(PgflowError, LookupError):
    """A step was asked for that the flow or run does not have."""


class UnknownRunError(PgflowError, LookupError):
    """There is no run with this id."""


class InvalidKeyError(PgflowError, ValueError):
    """A run id is no UUID, or an idempotency key is no text that the database can keep."""


class RunConflictError(PgflowError):
    """A run id or idempotency key was used again with another flow or input."""


class NotJsonError(PgflowError, ValueError):
    """A value cannot be stored as jsonb, or read from it, without changing it; the message has its path if it can."""


class RunFailedError(PgflowError):
    """The awaited run failed: ``run``, the ``step_slug`` that failed it, and its ``error_message``."""

    def __init__(self, run: FlowRunView, step_slug: str | None, error_message: str | None) -> None:
        where = f" at step {step_slug!r}" if step_slug else ""
        super().__init__(f"run {run.run_id} of flow {run.flow_slug!r} failed{where}: {error_message}")
        self.run = run
        self.step_slug = step_slug
        self.error_message = error_message

    def __reduce__(self) -> tuple[type[RunFailedError], tuple[FlowRunView, str | None, str | None]]:
        return type(self), (self.run, self.step_slug, self.error_message)


class WaitTimeoutError(PgflowError, TimeoutError):
    """What was awaited did not happen within the timeout; the run itself goes on."""


class RunNotCommittedError(PgflowError):
    """The run was started in a transaction that is still open: no worker can see it, so waiting cannot end.

    ``advice`` is what the library whose transaction it is has to say about that.
    """

    def __init__(self, run_id: UUID, advice: str | None = None) -> None:
        super().__init__(
            f"run {run_id} was started in a transaction that is still open; no worker can see it before the commit: "
            f"commit first, then wait{f'. {advice}' if advice else ''}"
        )
        self.run_id = run_id
        self.advice = advice

    def __reduce__(self) -> tuple[type[RunNotCommittedError], tuple[UUID, str | None]]:
        return type(self), (self.run_id, self.advice)


class DsnError(PgflowError, ValueError):
    """No database was named, or not in a form that libpq or SQLAlchemy take."""


class SettingsError(PgflowError, ValueError):
    """A web application's configuration has a value that cannot be used; the message names the setting."""


class ClientClosedError(PgflowError):
    """A client was used after it had been closed, or closed while somebody waited with it."""


class ServerGoneError(PgflowError, ConnectionError):
    """The server has been gone for so long that a run is no longer awaited; the cause is the server's own error."""


class ProcessDiedError(PgflowError):
    """The process that ran a handler has ended without a result, or could not be started; it is an attempt's error."""


class ExtraMissingError(PgflowError, ImportError):
    """A library that only some need, such as rich, is not installed; the message names the extra that brings it."""


class EmbeddedServerError(PgflowError):
    """The embedded PostgreSQL cannot be found, started, used or stopped."""


class IsolationLevelError(PgflowError):
    """A state transition was called outside READ COMMITTED, which its locks rely on."""


class SchemaError(PgflowError):
    """The database is not at a schema revision that this version of pgflow works with."""


class SchemaMissingError(SchemaError):
    """The database has no pgflow schema."""


class SchemaTooOldError(SchemaError):
    """The database is at an older revision than this version of pgflow needs."""


class SchemaTooNewError(SchemaError):
    """The database is at a newer revision, for which this version of pgflow is too old."""


_BY_SQLSTATE: dict[str, type[PgflowError]] = {
    "PF001": UnknownFlowError,
    "PF004": RunConflictError,
    "PF005": InvalidSlugError,
    "PF006": FlowShapeError,
    "PF007": DefinitionError,
    "PF008": IsolationLevelError,
    "PF009": UnknownDependencyError,
    "PF010": InvalidKeyError,
}


def from_database(error: psycopg.Error) -> PgflowError | None:
    """Return the exception for an error that the engine raised on purpose, or None for any other.

    The engine marks what Python must tell apart with a SQLSTATE of class ``PF``; the caller raises the result
    ``from`` the original, so that the server's own report is kept as the cause.
    """
    kind = _BY_SQLSTATE.get(error.sqlstate or "")
    if kind is None:
        return None
    message = ". ".join(filter(None, [error.diag.message_primary, error.diag.message_hint])) or str(error)
    if kind is FlowShapeError:
        return FlowShapeError(message, tuple((error.diag.message_detail or "").splitlines()))
    return kind(message)

"""The functions of the engine as methods: values in, rows out, and errors that say what went wrong.

What carries the statements is for the subclass to say: connections of a pool in `PsycopgConnector`, one connection of
somebody else's in `BorrowedCalls`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from pgflow.engine import statements
from pgflow.engine.rows import clean_text, dump_json, load_json, run_row, snapshot, task_key, task_record
from pgflow.errors import NotJsonError, PgflowError, SchemaMissingError, SchemaTooOldError, from_database
from pgflow.graph import GraphStep
from pgflow.models import Completion, Failure, Json, RunRow, RunSnapshot, TaskKey, TaskRecord

__all__ = ["EngineCalls", "Rows", "translated"]

Rows = list[tuple[Any, ...]]
"""What a statement returns."""

_BATCH = 1000


class EngineCalls(ABC):
    """Every function that the client and the worker call, over a connection that the subclass provides."""

    @abstractmethod
    def _fetch(self, statement: str, parameters: Mapping[str, Any], connection: Any = None) -> Rows:
        """Run one statement, on ``connection`` if one was borrowed for it, and return its rows."""

    def _fetch_all(self, statement: str, batches: Sequence[Mapping[str, Any]], connection: Any = None) -> Rows:
        """Run one statement for each batch, in one transaction, and return all rows."""
        return [row for parameters in batches for row in self._fetch(statement, parameters, connection)]

    def _call(self, statement: str, connection: Any = None, /, **parameters: Any) -> Rows:
        return self._call_all(statement, [parameters], connection)

    def _call_all(self, statement: str, batches: Sequence[Mapping[str, Any]], connection: Any) -> Rows:
        try:
            return self._fetch_all(statement, batches, connection)
        except Exception as exc:
            error = translated(exc)
            if error is None:
                raise
            raise error from exc

    # Definition

    def ensure_flow(self, definition: Mapping[str, Json], *, replace: bool = False) -> None:
        """Define a flow that is missing and update changed options; `FlowShapeError` where the shape differs."""
        self._call(statements.ENSURE_FLOW, definition=dump_json(definition), replace=replace)

    def check_flow(self, definition: Mapping[str, Json]) -> None:
        """Compare a definition with the database: `UnknownFlowError` or `FlowShapeError` where they differ."""
        self._call(statements.CHECK_FLOW, definition=dump_json(definition))

    def get_flow_shape(self, flow_slug: str) -> list[GraphStep]:
        """The steps of a flow, each after those that it depends on; takes a role that may read tables."""
        rows = self._call(statements.FLOW_SHAPE, flow_slug=flow_slug)
        return [GraphStep(slug, tuple(deps), is_fanout) for slug, is_fanout, deps, *_ in rows]

    # Starting

    def start_flow(
        self,
        flow_slug: str,
        input: Json,
        *,
        run_id: UUID | None = None,
        idempotency_key: str | None = None,
        connection: Any = None,
    ) -> RunRow:
        """Start a silent run, on a borrowed connection if one is given, else in a transaction of its own."""
        ((row,),) = self._call(
            statements.START_FLOW,
            connection,
            flow_slug=flow_slug,
            input=dump_json(input),
            run_id=None if run_id is None else str(run_id),
            idempotency_key=idempotency_key,
        )
        return run_row(load_json(row))

    def start_flows(self, flow_slug: str, inputs: Sequence[Json], *, connection: Any = None) -> list[RunRow]:
        """Start a run for each input, a thousand in a statement, all or none; the result is in their order."""
        texts = [dump_json(each) for each in inputs]
        batches = [
            {"flow_slug": flow_slug, "inputs": texts[start : start + _BATCH]} for start in range(0, len(texts), _BATCH)
        ]
        rows = self._call_all(statements.START_FLOWS, batches, connection)
        return [
            run_row({**load_json(row), "flow_slug": flow_slug, "input": load_json(text)})
            for (row,), text in zip(rows, texts, strict=True)
        ]

    # Following

    def get_run_with_states(self, run_id: UUID) -> RunSnapshot | None:
        """The snapshot of a run, or None if there is no such run."""
        rows = self._call(statements.RUN_WITH_STATES, run_id=str(run_id))
        return snapshot(*rows[0]) if rows else None

    # Working

    def poll_for_tasks(
        self, flow_slugs: Sequence[str], *, qty: int, lease: float, worker_id: UUID | None = None
    ) -> list[TaskRecord]:
        """Claim up to ``qty`` visible tasks for ``lease`` seconds, fairly among the flows; never waits."""
        rows = self._call(
            statements.CLAIM_TASKS, flow_slugs=list(flow_slugs), qty=qty, lease=lease, worker_id=_id(worker_id)
        )
        return [task_record(row) for row in rows]

    def claim_run_tasks(self, run_id: UUID, *, lease: float, worker_id: UUID | None = None) -> list[TaskRecord]:
        """Claim every queued task of one run, those included that wait for their retry."""
        rows = self._call(statements.CLAIM_RUN_TASKS, run_id=str(run_id), lease=lease, worker_id=_id(worker_id))
        return [task_record(row) for row in rows]

    def start_tasks(self, flow_slug: str, msg_ids: Sequence[int], worker_id: UUID | None = None) -> list[TaskRecord]:
        """Start the tasks of messages that the caller has read from the queue itself."""
        rows = self._call(statements.START_TASKS, flow_slug=flow_slug, msg_ids=list(msg_ids), worker_id=_id(worker_id))
        return [task_record(row) for row in rows]

    def complete_tasks(self, completions: Sequence[Completion]) -> list[TaskKey]:
        """Report results; returned are those that changed nothing."""
        outputs = [dump_json(completion.output) for completion in completions]
        return self._report(statements.COMPLETE_TASKS, [completion.key for completion in completions], outputs=outputs)

    def fail_tasks(self, failures: Sequence[Failure]) -> list[TaskKey]:
        """Report failed attempts, which the engine retries or not; returned are those that changed nothing."""
        return self._report(
            statements.FAIL_TASKS,
            [failure.key for failure in failures],
            error_messages=[clean_text(failure.error_message) for failure in failures],
            permanent=[failure.permanent for failure in failures],
            retry_delays=[failure.retry_delay for failure in failures],
            tracebacks=[None if failure.traceback is None else clean_text(failure.traceback) for failure in failures],
        )

    def extend_leases(self, keys: Sequence[TaskKey], *, lease: float) -> list[TaskKey]:
        """Hold attempts for ``lease`` more seconds from now; returned are those that another attempt has taken."""
        return self._report(statements.EXTEND_LEASES, keys, lease=lease)

    def release_tasks(self, keys: Sequence[TaskKey]) -> list[TaskKey]:
        """Hand tasks back unfinished, visible at once and the attempt not counted."""
        return self._report(statements.RELEASE_TASKS, keys)

    def _report(self, statement: str, keys: Sequence[TaskKey], **parameters: Any) -> list[TaskKey]:
        if not keys:
            return []
        rows = self._call(
            statement,
            run_ids=[str(key.run_id) for key in keys],
            step_slugs=[key.step_slug for key in keys],
            task_indexes=[key.task_index for key in keys],
            tokens=[key.token for key in keys],
            **parameters,
        )
        return [task_key(row) for row in rows]

    def sleep_on_queues(self, worker_id: UUID, flow_slugs: Sequence[str], *, seconds: float) -> float | None:
        """Ask to be notified of new messages for ``seconds``; returns seconds to the next due message, None if none."""
        ((due,),) = self._call(
            statements.SLEEP_ON_QUEUES, worker_id=str(worker_id), flow_slugs=list(flow_slugs), seconds=seconds
        )
        return None if due is None else float(due)

    def register_worker(self, worker_id: UUID, flow_slugs: Sequence[str], function_name: str) -> None:
        """Note that this worker lives."""
        self._call(
            statements.REGISTER_WORKER,
            worker_id=str(worker_id),
            queue_name=",".join(flow_slugs),
            function_name=clean_text(function_name),
        )

    def heartbeat_worker(self, worker_id: UUID) -> bool:
        """Note that it still does; False if it has been forgotten meanwhile and has to register again."""
        ((known,),) = self._call(statements.HEARTBEAT_WORKER, worker_id=str(worker_id))
        return bool(known)

    def stop_worker(self, worker_id: UUID) -> None:
        """Note that it stopped in order."""
        self._call(statements.STOP_WORKER, worker_id=str(worker_id))


def _id(worker_id: UUID | None) -> str | None:
    return None if worker_id is None else str(worker_id)


def translated(exc: Exception) -> PgflowError | None:
    """Return the exception of ours for an error that came through psycopg, SQLAlchemy or Django, or None."""
    for cause in (exc, getattr(exc, "orig", None), exc.__cause__):
        if isinstance(cause, psycopg.Error):
            return _translated(cause)
    return None


def _translated(exc: psycopg.Error) -> PgflowError | None:
    error = from_database(exc)
    if error is not None:
        return error
    match exc:
        case psycopg.errors.InvalidSchemaName():
            return SchemaMissingError("the database has no pgflow schema: run `pgflow migrate`")
        case psycopg.errors.UndefinedFunction() if "pgflow." in str(exc):
            return SchemaTooOldError("the pgflow schema lacks a function that this version calls: run `pgflow migrate`")
        case psycopg.errors.UntranslatableCharacter() | psycopg.errors.ProgramLimitExceeded():
            return NotJsonError(f"the value cannot be stored as jsonb: {exc.diag.message_primary}")
    return None

"""JSON text on its way into the database, and the engine's rows on their way out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from pgflow.errors import NotJsonError
from pgflow.events import parse_time
from pgflow.models import Json, RunRow, RunSnapshot, RunStatus, StepRow, StepStatus, TaskKey, TaskRecord

__all__ = ["clean_text", "dump_json", "load_json", "run_row", "snapshot", "task_key", "task_record"]


def dump_json(value: Json) -> str:
    """Return a value as JSON text that jsonb takes unchanged; `NotJsonError` if there is no such text.

    jsonb refuses what JSON only nearly has: NaN and the infinities, NUL characters and lone surrogates.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError as exc:
        raise NotJsonError("a string holds a lone surrogate, which is no character and cannot be stored") from exc
    except RecursionError as exc:
        raise NotJsonError("the value is nested too deeply to be stored as JSON") from exc
    except (TypeError, ValueError) as exc:
        raise NotJsonError(f"the value cannot be stored as JSON: {exc}") from exc
    # The escape of NUL also ends an escaped backslash that ordinary characters follow, so that only parsing tells.
    if "\\u0000" in text and _holds_nul(json.loads(text)):
        raise NotJsonError("a string holds a NUL character, which PostgreSQL cannot store")
    return _LARGE_FLOAT.sub(_as_fraction, text) if "e+" in text else text


def _as_fraction(found: re.Match[str]) -> str:
    # jsonb writes 1e+23 as an integer, and that is another number than the float, and another type. Not so 1…000.0.
    return f"{Decimal(found[1]):f}.0" if found[1] else found[0]


#: A string, to be passed over, or a float that is written with an exponent.
_LARGE_FLOAT = re.compile(r'"(?:[^"\\]++|\\.)*+"|(-?\d(?:\.\d+)?e\+\d+)')


def _holds_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any("\0" in key or _holds_nul(item) for key, item in value.items())
        case list():
            return any(map(_holds_nul, value))
    return False


def load_json(text: str) -> Any:
    """Return the value of a text of PostgreSQL's; `NotJsonError` if Python cannot hold what jsonb can.

    Other languages and plain SQL may store integers of more digits than Python reads, fractions beyond a float, and
    nesting beyond its stack.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as exc:
        raise NotJsonError("a stored value is nested too deeply for Python to read") from exc
    except ValueError as exc:
        raise NotJsonError(f"a stored value cannot be read by Python: {exc}") from exc


def _fraction(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"the number {text[:20]}… of {len(text)} characters is beyond a float")
    return value


_DECODER = json.JSONDecoder(parse_float=_fraction)


def clean_text(text: str) -> str:
    """Return a text, such as an exception's message, without what PostgreSQL's ``text`` cannot hold."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "backslashreplace").decode()


def run_row(row: Mapping[str, Any]) -> RunRow:
    """Return the run of a row of ``pgflow.runs`` in JSON; columns that it has not are None."""
    return RunRow(
        run_id=UUID(row["run_id"]),
        flow_slug=row["flow_slug"],
        status=RunStatus(row["status"]),
        input=row.get("input"),
        output=row.get("output"),
        error_message=row.get("error_message"),
        remaining_steps=row["remaining_steps"],
        started_at=parse_time(row["started_at"]),
        completed_at=_time(row, "completed_at"),
        failed_at=_time(row, "failed_at"),
    )


def snapshot(run: str, steps: str | None) -> RunSnapshot:
    """Return the snapshot of a run's row and its array of step states, both as JSON text; raises as `load_json`."""
    return RunSnapshot(run_row(load_json(run)), tuple(map(_step_row, load_json(steps or "[]"))))


def _step_row(row: Mapping[str, Any]) -> StepRow:
    return StepRow(
        run_id=UUID(row["run_id"]),
        step_slug=row["step_slug"],
        status=StepStatus(row["status"]),
        initial_tasks=row["initial_tasks"],
        remaining_tasks=row["remaining_tasks"],
        remaining_deps=row["remaining_deps"],
        output=row["output"],
        error_message=row["error_message"],
        created_at=parse_time(row["created_at"]),
        started_at=_time(row, "started_at"),
        completed_at=_time(row, "completed_at"),
        failed_at=_time(row, "failed_at"),
    )


def _time(row: Mapping[str, Any], column: str) -> datetime | None:
    text = row.get(column)
    return None if text is None else parse_time(text)


def task_record(row: Sequence[Any]) -> TaskRecord:
    """Return the task of a row of ``pgflow.step_task_record``, its input as JSON text.

    An input that cannot be read is noted: the task is claimed, and so are those of the other rows.
    """
    flow_slug, run_id, step_slug, task_input, msg_id, task_index, token, attempts_count = row
    value, unreadable = {}, None
    try:
        value = load_json(task_input)
    except NotJsonError as exc:
        unreadable = str(exc)
    return TaskRecord(
        flow_slug=flow_slug,
        run_id=UUID(run_id),
        step_slug=step_slug,
        input=value,
        msg_id=msg_id,
        task_index=task_index,
        token=token,
        attempts_count=attempts_count,
        unreadable=unreadable,
    )


def task_key(row: Sequence[Any]) -> TaskKey:
    """Return the key of a row that names a task and an attempt."""
    run_id, step_slug, task_index, token = row
    return TaskKey(UUID(run_id), step_slug, task_index, token)

"""What a worker says of itself: a file of JSON lines that a kill cannot take back."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from attrs import define, field

from pgflow.connector import PsycopgConnector
from pgflow.engine.transaction import TaskTransaction
from pgflow.models import Completion, Failure, TaskKey, TaskRecord
from tests.chaos.history import Attempt, Call, Stall, Task

T = TypeVar("T")

PULSE = 0.05
"""Seconds between two looks of a worker's process at its own clock."""


class Journal:
    """Writes the file; a line is one write, so that only the last one can be cut off."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, line: str, **what: Any) -> None:
        """Append a line."""
        os.write(self._file, json.dumps({"line": line, "at": time.time(), **what}).encode() + b"\n")

    def feel_the_pulse(self) -> None:
        """Note whenever this process was kept from running, and end it if its parent is gone; on a thread."""
        parent = os.getppid()

        def watch() -> None:
            while os.getppid() == parent:
                began = time.time()
                time.sleep(PULSE)
                if time.time() - began > 2 * PULSE:
                    self.note("stall", since=began + PULSE)
            os._exit(1)

        threading.Thread(target=watch, name="pulse", daemon=True).start()


class JournalingConnector(PsycopgConnector):
    """A worker's way to the engine that notes what is asked before each call, and the answer after it."""

    def __init__(self, dsn: str, listen_dsn: str, journal: Journal) -> None:
        super().__init__(dsn, listen_dsn=listen_dsn, pool_size=4, pool_timeout=5.0)
        self._journal = journal
        self._numbers = itertools.count()

    def register_worker(self, worker_id: UUID, flow_slugs: Sequence[str], function_name: str) -> None:
        super().register_worker(worker_id, flow_slugs, function_name)
        self._journal.note("ready")

    def poll_for_tasks(
        self, flow_slugs: Sequence[str], *, qty: int, lease: float, worker_id: UUID | None = None
    ) -> list[TaskRecord]:
        began = time.time()
        records = super().poll_for_tasks(flow_slugs, qty=qty, lease=lease, worker_id=worker_id)
        if records:
            self._journal.note("claimed", since=began, keys=_plain(record.key for record in records))
        return records

    def complete_tasks(self, completions: Sequence[Completion]) -> list[TaskKey]:
        return self._noted("complete", [each.key for each in completions], super().complete_tasks, completions)

    def fail_tasks(self, failures: Sequence[Failure]) -> list[TaskKey]:
        return self._noted("fail", [each.key for each in failures], super().fail_tasks, failures)

    def release_tasks(self, keys: Sequence[TaskKey]) -> list[TaskKey]:
        return self._noted("release", keys, super().release_tasks, keys)

    def extend_leases(self, keys: Sequence[TaskKey], *, lease: float) -> list[TaskKey]:
        return self._noted("extend", keys, partial(super().extend_leases, lease=lease), keys)

    def heartbeat_worker(self, worker_id: UUID) -> bool:
        beat = super().heartbeat_worker
        is_known: list[bool] = []

        def call(worker_id: UUID) -> list[TaskKey]:
            is_known.append(beat(worker_id))
            return []

        self._noted("heartbeat", [], call, worker_id)
        return is_known[0]

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        return _NotedTransaction(self._task_pool.connection(seconds), seconds, self._noted)

    def _noted(
        self, kind: str, keys: Sequence[TaskKey], call: Callable[[T], list[TaskKey]], argument: T
    ) -> list[TaskKey]:
        number = next(self._numbers)
        self._journal.note("asked", number=number, call=kind, keys=_plain(keys))
        try:
            ignored = call(argument)
        except BaseException:
            self._journal.note("unanswered", number=number)
            raise
        self._journal.note("answered", number=number, ignored=_plain(ignored))
        return ignored


class _NotedTransaction(TaskTransaction):
    """A handler's transaction, whose end is a report like any other."""

    def __init__(
        self,
        lend: AbstractContextManager[psycopg.Connection[Any]],
        seconds: float | None,
        noted: Callable[[str, list[TaskKey], Callable[[Completion], list[TaskKey]], Completion], list[TaskKey]],
    ) -> None:
        super().__init__(lend, seconds)
        self._noted = noted

    def complete(self, completion: Completion) -> bool:
        taken = super().complete
        key = completion.key
        return not self._noted("complete", [key], lambda each: [] if taken(each) else [key], completion)


@define
class Notes:
    """What the journal of one process says."""

    #: The worker's id; None where it was killed before it had one.
    worker: UUID | None = None
    #: Whether it has begun to serve its flows.
    ready: bool = False
    calls: list[Call] = field(factory=list)
    stalls: list[Stall] = field(factory=list)

    @classmethod
    def read(cls, path: Path) -> Notes:
        """Return what is there so far."""
        notes = cls()
        asked: dict[int, dict[str, Any]] = {}
        for line in _lines(path):
            match line["line"]:
                case "worker":
                    notes.worker = UUID(line["id"])
                case "ready":
                    notes.ready = True
                case "stall":
                    notes.stalls.append(Stall(notes._id, line["since"], line["at"]))
                case "claimed":
                    notes.calls.append(Call(notes._id, "claim", _attempts(line["keys"]), line["since"], line["at"]))
                case "asked":
                    asked[line["number"]] = line
                case "answered" | "unanswered" as kind:
                    notes._add(asked.pop(line["number"]), line, kind == "answered")
        for line in asked.values():
            notes._add(line, {}, False)
        return notes

    @property
    def _id(self) -> UUID:
        assert self.worker is not None, "the first line of a journal says whose it is"
        return self.worker

    def _add(self, asked: Mapping[str, Any], answer: Mapping[str, Any], answered: bool) -> None:
        self.calls.append(
            Call(
                self._id,
                asked["call"],
                _attempts(asked["keys"]),
                asked["at"],
                answer.get("at"),
                frozenset(_attempts(answer.get("ignored", ()))),
                answered,
            )
        )


def _lines(path: Path) -> list[dict[str, Any]]:
    texts = path.read_text().split("\n") if path.exists() else []
    return [json.loads(text) for text in texts[:-1]]  # what follows the last line's end was cut off


def _plain(keys: Iterable[TaskKey]) -> list[list[Any]]:
    return [[str(key.run_id), key.step_slug, key.task_index, key.token] for key in keys]


def _attempts(keys: Iterable[Sequence[Any]]) -> tuple[Attempt, ...]:
    return tuple(Attempt(Task(UUID(run_id), step, index), token) for run_id, step, index, token in keys)

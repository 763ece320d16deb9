"""PgQueuer: a queue of jobs, with neither results nor a DAG.

A handler enqueues the next job. Jobs leave their table when they end, and their log keeps the outcome but not the
payload: so the last handlers fail if what they are given is wrong, and the successes are counted. What a caller can
wait for by PgQueuer itself is a job's status (``status watched``); otherwise the last handler notifies it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import asyncpg
import psycopg
from pgqueuer import AsyncpgDriver, PgQueuer, Queries, run
from pgqueuer.core.completion import CompletionWatcher

from benchmarks.peers.system import System, expected, url
from benchmarks.peers.told import CHANNEL, Gathering, Told, message

_FIRST = {"chain": "first", "fanout": "items", "single": "only"}
_LAST = {"chain": "third", "fanout": "each"}
#: How many jobs a worker takes at once; the first is what PgQueuer does unless told.
_BATCHES = {"as shipped": 10, "batches of 100": 100, "status watched": 10}


class Pgqueuer:
    """One worker process on asyncpg, the faster of its drivers."""

    settings: ClassVar = tuple(_BATCHES)
    proof: ClassVar = (
        "no results: successes counted in its log, handlers check values; the sum from the worker's memory"
    )
    workers: ClassVar = ("worker",)

    def __init__(self, dsn: str, setting: str) -> None:
        self._dsn = dsn
        self._url = url(dsn)
        self._batch = _BATCHES[setting]
        self._watch = setting == "status watched"
        self._runs = 0
        self._checked: dict[str, int] = {}

    def prepare(self) -> None:
        """Do what ``pgq install`` does."""

        async def install() -> None:
            connection = await asyncpg.connect(self._url)
            await Queries(AsyncpgDriver(connection)).install()
            await connection.close()

        asyncio.run(install())

    def work(self, worker: str) -> None:
        """Do what ``pgq run`` does."""
        asyncio.run(run(self._manager, batch_size=self._batch))

    @asynccontextmanager
    async def _manager(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self._url)
        manager = PgQueuer(AsyncpgDriver(connection))
        queries = manager.qm.queries
        gathering = Gathering()

        async def first(job: Any) -> None:
            run, given, number = json.loads(job.payload)
            await queries.enqueue("second", _payload(run, given, number + 1))

        async def second(job: Any) -> None:
            run, given, number = json.loads(job.payload)
            await queries.enqueue("third", _payload(run, given, number + 1))

        async def third(job: Any) -> None:
            _, given, number = json.loads(job.payload)
            assert number + 1 == expected("chain", given)

        async def items(job: Any) -> None:
            run, count, _ = json.loads(job.payload)
            gathering.expect(run, count)
            payloads = [_payload(run, count, number) for number in range(count)]
            await queries.enqueue(["each"] * count, payloads, [0] * count)

        async def each(job: Any) -> None:
            run, _, number = json.loads(job.payload)
            if (total := gathering.add(run, number)) is not None:
                await manager.connection.notify(CHANNEL, message(run, total))

        async def only(job: Any) -> None:
            run, _, number = json.loads(job.payload)
            await manager.connection.notify(CHANNEL, message(run, number + 1))

        for handler in (first, second, third, items, each, only):
            manager.entrypoint(handler.__name__)(handler)
        try:
            yield manager
        finally:
            await connection.close()

    def open(self) -> None:
        """Connect, with an event loop for the calls of this synchronous program."""
        self._loop = asyncio.Runner()
        self._asyncpg = self._loop.run(asyncpg.connect(self._url))
        self._driver = AsyncpgDriver(self._asyncpg)
        self._queries = Queries(self._driver)
        self._connection = psycopg.connect(self._dsn, autocommit=True)
        self._told = Told(self._dsn)

    def close(self) -> None:
        """Close all of it."""
        self._loop.run(self._asyncpg.close())
        self._loop.close()
        self._connection.close()
        self._told.close()

    def start(self, flow: str, input: int) -> object:
        """Enqueue the first job."""
        (run,) = self._numbers(1)
        (job,) = self._loop.run(self._queries.enqueue(_FIRST[flow], _payload(run, input, input)))
        return run, flow, job

    def start_many(self, flow: str, inputs: Sequence[int]) -> Sequence[object]:
        """Enqueue the first jobs with one statement."""
        runs = self._numbers(len(inputs))
        payloads = [_payload(run, number, number) for run, number in zip(runs, inputs, strict=True)]
        names, priorities = [_FIRST[flow]] * len(inputs), [0] * len(inputs)
        jobs = self._loop.run(self._queries.enqueue(names, payloads, priorities))
        return [(run, flow, job) for run, job in zip(runs, jobs, strict=True)]

    def result(self, run: Any) -> int:
        """Wait for the last handler's notification; before that for the status of an only job, if watched."""
        number, flow, job = run
        if self._watch and flow == "single":
            assert self._loop.run(self._status(job)) == "successful"
        return self._told.result(number)

    def is_idle(self) -> bool:
        """Whether no job is left."""
        return self._connection.execute("select not exists (select from pgqueuer)").fetchone() == (True,)

    def check(self, flow: str, inputs: Sequence[int], runs: Sequence[object]) -> None:
        """Count the last jobs that succeeded since the last check, and see that none failed."""
        found: dict[tuple[str, str], int] = {
            (entrypoint, status): count
            for entrypoint, status, count in self._connection.execute(
                "select entrypoint, status::text, count(*) from pgqueuer_log group by 1, 2"
            )
        }
        failed = {key for key in found if key[1] not in ("queued", "picked", "successful")}
        assert not failed, failed
        last = _LAST[flow]
        succeeded = found.get((last, "successful"), 0)
        due = sum(inputs) if flow == "fanout" else len(inputs)
        assert succeeded - self._checked.get(last, 0) == due, (succeeded, self._checked, due)
        self._checked[last] = succeeded

    async def _status(self, job: Any) -> Any:
        async with CompletionWatcher(self._driver, queries=self._queries) as watcher:
            return await watcher.wait_for(job)

    def _numbers(self, count: int) -> range:
        self._runs += count
        return range(self._runs - count, self._runs)


def _payload(run: int, given: int, number: int) -> bytes:
    return json.dumps([run, given, number]).encode()


SYSTEM: type[System] = Pgqueuer

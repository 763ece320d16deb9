"""Procrastinate: a queue of tasks, with neither results nor a DAG.

A task defers the next one. It keeps the jobs with their arguments, which is where the outcome can be counted; a
caller that waits is notified by the last task. Tasks are coroutines, as its documentation advises, and
several run at once in one worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import psycopg
from procrastinate import App, PsycopgConnector

from benchmarks.peers.system import System, expected
from benchmarks.peers.told import CHANNEL, Gathering, Told, message

#: Seconds between two looks of a worker that has not been notified; the first is what Procrastinate does unless told.
_POLLS = {"as shipped": 5.0, "polling hard": 0.01}
_CONCURRENCY = 10


class Procrastinate:
    """One worker process."""

    settings: ClassVar = tuple(_POLLS)
    proof: ClassVar = "no results: kept jobs, all succeeded, with the right arguments; the sum from the worker's memory"
    workers: ClassVar = ("worker",)

    def __init__(self, dsn: str, setting: str) -> None:
        self._dsn = dsn
        self._poll = _POLLS[setting]
        self._app = App(connector=PsycopgConnector(conninfo=dsn))
        self._runs = 0
        gathering = Gathering()

        async def first(run: int, number: int) -> None:
            await self._tasks["second"].defer_async(run=run, number=number + 1)

        async def second(run: int, number: int) -> None:
            await self._tasks["third"].defer_async(run=run, number=number + 1)

        async def third(run: int, number: int) -> None:
            pass

        async def items(run: int, number: int) -> None:
            gathering.expect(run, number)
            await self._tasks["each"].batch_defer_async(*({"run": run, "number": n} for n in range(number)))

        async def each(run: int, number: int) -> None:
            if (total := gathering.add(run, number)) is not None:
                await self._tell(run, total)

        async def only(run: int, number: int) -> None:
            await self._tell(run, number + 1)

        handlers = (first, second, third, items, each, only)
        self._tasks: dict[str, Any] = {
            handler.__name__: self._app.task(name=handler.__name__)(handler) for handler in handlers
        }
        self._first = {"chain": "first", "fanout": "items", "single": "only"}

    def prepare(self) -> None:
        """Apply its schema."""
        with self._app.open():
            self._app.schema_manager.apply_schema()

    def work(self, worker: str) -> None:
        """Run a worker."""
        self._app.run_worker(concurrency=_CONCURRENCY, fetch_job_polling_interval=self._poll)

    def open(self) -> None:
        """Open the synchronous side of the application."""
        self._app.open()
        self._connection = psycopg.connect(self._dsn, autocommit=True)
        self._told = Told(self._dsn)

    def close(self) -> None:
        """Close it."""
        self._app.close()
        self._connection.close()
        self._told.close()

    def start(self, flow: str, input: int) -> object:
        """Defer the first job."""
        (run,) = self._numbers(1)
        self._tasks[self._first[flow]].defer(run=run, number=input)
        return run

    def start_many(self, flow: str, inputs: Sequence[int]) -> Sequence[object]:
        """Defer the first jobs in a batch."""
        runs = self._numbers(len(inputs))
        jobs = [{"run": run, "number": number} for run, number in zip(runs, inputs, strict=True)]
        self._tasks[self._first[flow]].batch_defer(*jobs)
        return runs

    def result(self, run: Any) -> int:
        """Wait for the last job's notification."""
        return self._told.result(run)

    def is_idle(self) -> bool:
        """Whether no job is left to do, nor being done."""
        query = "select not exists (select from procrastinate_jobs where status in ('todo', 'doing'))"
        return self._connection.execute(query).fetchone() == (True,)

    def check(self, flow: str, inputs: Sequence[int], runs: Sequence[object]) -> None:
        """Look at the last jobs of the runs: each once, succeeded, with the right number."""
        last = {"chain": "third", "fanout": "each"}[flow]
        found = self._connection.execute(
            "select (args->>'run')::int, count(*), sum((args->>'number')::int) from procrastinate_jobs"
            " where task_name = %s and status = 'succeeded' and (args->>'run')::int = any(%s) group by 1",
            [last, list(runs)],
        ).fetchall()
        by_run = {run: (count, total) for run, count, total in found}
        for number, run in zip(inputs, runs, strict=True):
            # The third job adds the last one to what it was given.
            right = (number, expected(flow, number)) if flow == "fanout" else (1, expected(flow, number) - 1)
            assert by_run.get(run) == right, (run, by_run.get(run), right)

    def _numbers(self, count: int) -> range:
        self._runs += count
        return range(self._runs - count, self._runs)

    async def _tell(self, run: int, value: int) -> None:
        await self._app.connector.execute_query_async(
            "select pg_notify(%(channel)s, %(message)s)", channel=CHANNEL, message=message(run, value)
        )


SYSTEM: type[System] = Procrastinate

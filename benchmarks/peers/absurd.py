"""absurd: tasks as code, spawned by a client and claimed by workers that poll.

A parent may not wait for children in its own queue, so that they cannot block each other: a fan-out's tasks have a
queue of their own. Parallel work is by processes, as the threads of a worker share one connection.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import absurdctl
import psycopg
from absurd_sdk import Absurd as Sdk

from benchmarks.peers.system import System, expected

_PARENTS, _CHILDREN = "parents", "children"
#: Seconds between two looks of an idle worker; the first is what absurd does unless told.
_POLLS = {"as shipped": 0.25, "polling hard": 0.01}
_CONCURRENCY = 10


class Absurd:
    """Two worker processes for each queue."""

    settings: ClassVar = tuple(_POLLS)
    proof: ClassVar = "results of all runs"
    workers: ClassVar = (_PARENTS, _PARENTS, _CHILDREN, _CHILDREN)

    def __init__(self, dsn: str, setting: str) -> None:
        self._dsn = dsn
        self._poll = _POLLS[setting]
        self._as_shipped = setting == "as shipped"

    def prepare(self) -> None:
        """Do what ``absurdctl init`` does, without its need for psql."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(absurdctl.BUNDLED_SCHEMA_SQL)
        app = Sdk(self._dsn)
        for queue in (_PARENTS, _CHILDREN):
            app.create_queue(queue)
        app.close()

    def work(self, worker: str) -> None:
        """Claim and run tasks of one queue."""
        app = Sdk(self._dsn, queue_name=worker)

        def spawn(count: int) -> list[str]:
            return [str(app.spawn("each", number, queue=_CHILDREN)["task_id"]) for number in range(count)]

        def fanout(count: int, context: Any) -> int:
            tasks = context.step("spawn", lambda: spawn(count))
            return sum(context.await_task_result(task, queue_name=_CHILDREN).result for task in tasks)

        if worker == _PARENTS:
            for name, handler in (("chain", _chain), ("fanout", fanout), ("single", _single)):
                app.register_task(name=name)(handler)
        else:
            app.register_task(name="each")(_each)
        app.start_worker(concurrency=_CONCURRENCY, poll_interval=self._poll)

    def open(self) -> None:
        """Make the client on a connection that it may share for a transaction."""
        self._connection = psycopg.connect(self._dsn, autocommit=True)
        self._app = Sdk(self._connection, queue_name=_PARENTS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def start(self, flow: str, input: int) -> object:
        """Spawn a task."""
        return self._app.spawn(flow, input, queue=_PARENTS)["task_id"]

    def start_many(self, flow: str, inputs: Sequence[int]) -> Sequence[object]:
        """Spawn them in one transaction."""
        with self._connection.transaction():
            return [self.start(flow, number) for number in inputs]

    def result(self, run: Any) -> int:
        """Ask for the result as absurd does, in growing intervals of up to a second, or hard."""
        if self._as_shipped:
            return int(self._app.await_task_result(run).result)
        while (found := self._app.fetch_task_result(run)) is None or found.state != "completed":
            assert found is None or found.state not in ("failed", "cancelled"), found
            time.sleep(self._poll)
        return int(found.result)

    def is_idle(self) -> bool:
        """Whether no attempt is open in either queue."""
        queues = " union all ".join(
            f"(select from absurd.r_{queue} where state in ('pending', 'running', 'sleeping') limit 1)"
            for queue in (_PARENTS, _CHILDREN)
        )
        return self._connection.execute(f"select not exists ({queues})".encode()).fetchone() == (True,)

    def check(self, flow: str, inputs: Sequence[int], runs: Sequence[object]) -> None:
        """Compare every result."""
        for number, run in zip(inputs, runs, strict=True):
            assert self.result(run) == expected(flow, number)


def _chain(number: int, context: Any) -> int:
    number = context.step("first", lambda: number + 1)
    number = context.step("second", lambda: number + 1)
    return int(context.step("third", lambda: number + 1))


def _single(number: int, context: Any) -> int:
    return int(context.step("only", lambda: number + 1))


def _each(number: int, context: Any) -> int:
    return number


SYSTEM: type[System] = Absurd

"""DBOS: workflows as code, enqueued by a client and dequeued by a process that polls.

Its documentation recommends queues for work that is started elsewhere, and, for a fan-out, a parent that enqueues its
children and then asks for the result of each. Values are stored as JSON instead of pickles. ``in process`` is how
it is used without a queue: the program that starts a workflow runs it too, so there is no worker.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Sequence
from typing import Any, ClassVar

import psycopg
import sqlalchemy
from dbos import DBOS, DBOSClient

from benchmarks.peers.system import System, expected, url

_QUEUE = "bench"
#: Seconds between two looks, at the queue and for a result; the first is what DBOS does unless told.
_POLLS = {"as shipped": 1.0, "polling hard": 0.01, "in process": 0.01}


class Json:
    """How values are stored; DBOS calls these three."""

    def serialize(self, data: Any) -> str:
        """Write a value."""
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        """Read a value."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """What is noted beside it."""
        return "bench_json"


class Dbos:
    """One worker process, with as many threads as DBOS makes."""

    settings: ClassVar = tuple(_POLLS)
    proof: ClassVar = "results of all runs"

    def __init__(self, dsn: str, setting: str) -> None:
        self._url = url(dsn)
        self._dsn = dsn
        self._poll = _POLLS[setting]
        self._in_process = setting == "in process"

    @property
    def workers(self) -> Sequence[str]:
        """One, unless the starting program runs the workflows itself."""
        return () if self._in_process else ("worker",)

    def prepare(self) -> None:
        """Launching makes the schema."""
        self._launch()
        DBOS.destroy(destroy_registry=True)

    def work(self, worker: str) -> None:
        """Launch, and let DBOS's threads work."""
        over = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: over.set())
        self._launch()
        over.wait()
        DBOS.destroy()

    def open(self) -> None:
        """Make the client, or be the application oneself."""
        if self._in_process:
            self._launch()
        self._client = DBOSClient(system_database_url=self._url, serializer=Json())
        # For many in one transaction, which is the fastest that the client offers.
        self._engine = sqlalchemy.create_engine(self._url.replace("postgresql", "postgresql+psycopg", 1))
        self._connection = psycopg.connect(self._dsn, autocommit=True)

    def close(self) -> None:
        """End all of it."""
        self._client.destroy()
        self._engine.dispose()
        self._connection.close()
        if self._in_process:
            DBOS.destroy()

    def start(self, flow: str, input: int) -> object:
        """Enqueue a workflow, or start it here."""
        if self._in_process:
            return DBOS.start_workflow(self._flows[flow], input)
        return self._client.enqueue({"workflow_name": flow, "queue_name": _QUEUE}, input)

    def start_many(self, flow: str, inputs: Sequence[int]) -> Sequence[object]:
        """Enqueue them in one transaction; in process there is only one by one."""
        if self._in_process:
            return [self.start(flow, number) for number in inputs]
        options = {"workflow_name": flow, "queue_name": _QUEUE}
        with self._engine.begin() as connection:
            return [self._client.enqueue_in_transaction(connection, options, number) for number in inputs]

    def result(self, run: Any) -> int:
        """Ask for the result until it is there."""
        return int(run.get_result(polling_interval_sec=self._poll))

    def is_idle(self) -> bool:
        """Whether nothing is enqueued or running."""
        query = "select not exists (select from dbos.workflow_status where status in ('ENQUEUED', 'PENDING'))"
        return self._connection.execute(query).fetchone() == (True,)

    def check(self, flow: str, inputs: Sequence[int], runs: Sequence[object]) -> None:
        """Compare every result."""
        for number, run in zip(inputs, runs, strict=True):
            assert self.result(run) == expected(flow, number)

    def _launch(self) -> None:
        DBOS(
            config={
                "name": "bench",
                "system_database_url": self._url,
                "serializer": Json(),
                "log_level": "ERROR",
            }
        )
        add_one = DBOS.step(name="add-one")(_add_one)
        each = DBOS.workflow(name="each")(_each)

        def chain(number: int) -> int:
            return int(add_one(add_one(add_one(number))))

        def fanout(count: int) -> int:
            start = DBOS.start_workflow if self._in_process else self._enqueue
            handles = [start(each, number) for number in range(count)]
            return sum(handle.get_result(polling_interval_sec=self._poll) for handle in handles)

        def single(number: int) -> int:
            return int(add_one(number))

        self._flows = {flow.__name__: DBOS.workflow(name=flow.__name__)(flow) for flow in (chain, fanout, single)}
        DBOS.launch()
        DBOS.register_queue(_QUEUE, polling_interval_sec=self._poll)

    @staticmethod
    def _enqueue(workflow: Any, number: int) -> Any:
        return DBOS.enqueue_workflow(_QUEUE, workflow, number)


def _add_one(number: int) -> int:
    return number + 1


def _each(number: int) -> int:
    return number


SYSTEM: type[System] = Dbos

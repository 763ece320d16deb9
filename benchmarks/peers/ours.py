"""This project, through the same calls as the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import psycopg

from benchmarks.flows import chain, fanout, single
from benchmarks.peers.system import System, expected
from pgflow import Flow, FlowClient, FlowRun, Worker, migrations

_FLOWS: dict[str, Flow[Any]] = {"chain": chain, "fanout": fanout, "single": single}
_CONCURRENCY = 100


class Ours:
    """One worker process with every flow, woken by notifications."""

    settings: ClassVar[tuple[str, ...]] = ("as shipped",)
    proof: ClassVar = "results of all runs"
    workers: ClassVar = ("worker",)

    def __init__(self, dsn: str, setting: str) -> None:
        self._dsn = dsn

    def prepare(self) -> None:
        """Run the migrations and define the flows, as a deployment would."""
        migrations.upgrade(self._dsn)
        with FlowClient(self._dsn) as client:
            for flow in _FLOWS.values():
                client.register(flow)

    def work(self, worker: str) -> None:
        """Run a worker."""
        Worker(list(_FLOWS.values()), self._dsn, concurrency=_CONCURRENCY).run()

    def open(self) -> None:
        """Make the client, and a connection to see the end on."""
        self._client = FlowClient(self._dsn)
        self._connection = psycopg.connect(self._dsn, autocommit=True)

    def close(self) -> None:
        """Close both."""
        self._client.close()
        self._connection.close()

    def start(self, flow: str, input: int) -> object:
        """Start a run."""
        return self._client.start(_FLOWS[flow], _input(flow, input))

    def start_many(self, flow: str, inputs: Sequence[int]) -> Sequence[object]:
        """Start all of them with one call."""
        return self._client.start_many(_FLOWS[flow], [_input(flow, number) for number in inputs])

    def result(self, run: object) -> int:
        """Wait for the notification of the run's end."""
        return _value(cast("FlowRun", run).result())

    def is_idle(self) -> bool:
        """Whether no message is left: a task has one until it ends, and what follows gets its own with that."""
        queues = " union all ".join(f'(select from pgmq."q_{flow.slug}" limit 1)' for flow in _FLOWS.values())
        return self._connection.execute(f"select not exists ({queues})".encode()).fetchone() == (True,)

    def check(self, flow: str, inputs: Sequence[int], runs: Sequence[object]) -> None:
        """Compare every result."""
        for number, run in zip(inputs, runs, strict=True):
            assert _value(cast("FlowRun", run).refresh().result()) == expected(flow, number)


def _input(flow: str, input: int) -> object:
    return {"count": input, "padding": 0} if flow == "fanout" else input


def _value(output: dict[str, Any]) -> int:
    ((_, value),) = output.items()
    return int(value)


SYSTEM: type[System] = Ours

"""A worker and callers of the code written for a revision: ``python -m tests.migrations.code_of REVISION FILE``.

That code is today's, made to believe that the revision is the newest: what it calls was there from the beginning. The
callers need the events of the second revision. The file is made once it works; SIGTERM ends the program, in order.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from attrs import define, field

from pgflow import Flow, FlowClient, Worker
from pgflow.schema import revision as schema_revision

squares: Flow[list[int]] = Flow("sum-squares", input=list[int])
twice: Flow[int] = Flow("add-twice", input=int)


@squares.step
def numbers(run: list[int]) -> list[int]:
    return run


@squares.step(depends_on=[numbers], fanout=True)
def square(number: int) -> int:
    return number * number


@squares.step(depends_on=[square])
def total(square: list[int]) -> int:
    return sum(square)


@twice.step
def first(run: int) -> int:
    return run + 1


@twice.step(depends_on=[first])
def second(first: int) -> int:
    return first + 1


#: What to start a flow with, and what comes out of it.
CASES: dict[Flow[Any], tuple[Any, Any]] = {twice: (1, {"second": 3}), squares: ([1, 2, 3], {"total": 14})}


def flows_of(revision: str) -> list[Flow[Any]]:
    """The flows that a revision can run."""
    return [twice] if revision < "0003" else [twice, squares]


@define
class Callers:
    """Start runs and wait for their results, one after another."""

    client: FlowClient
    flows: list[Flow[Any]]
    failures: list[BaseException] = field(factory=list)
    over: threading.Event = field(factory=threading.Event)

    def call(self) -> None:
        try:
            while not self.over.is_set():
                for flow in self.flows:
                    given, expected = CASES[flow]
                    assert self.client.start(flow, given).result(timeout=60) == expected
        except BaseException as exc:
            self.failures.append(exc)
            raise


def main(revision: str, ready: Path) -> int:
    schema_revision.NEEDED = revision  # type: ignore[misc]
    logging.basicConfig(level=logging.WARNING)
    flows = flows_of(revision)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    with Worker(flows, concurrency=2), FlowClient() as client:
        callers = Callers(client, flows)
        threads = [threading.Thread(target=callers.call) for _ in range(2 if revision >= "0002" else 0)]
        for thread in threads:
            thread.start()
        ready.touch()
        over.wait()
        callers.over.set()
        for thread in threads:
            thread.join()
    return 1 if callers.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))

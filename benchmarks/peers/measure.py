"""``python -m benchmarks.peers.measure SYSTEM SETTING SCALE``: run the workloads on one system.

The database is that of ``BENCH_DSN``, and empty. Each workload prints one line of JSON. A system is measured in a
process of its own, so that none inherits threads, modules or garbage from another.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NoReturn, TypeVar

import psycopg

from benchmarks.meter import measured
from benchmarks.peers.system import System, expected, load

T = TypeVar("T")

_RUNS, _STEPS = 600, 3
_TASKS = 500
#: Seconds that a rate is measured for, at least: a fast system does the same again.
_ENOUGH = 3.0
#: Seconds after which a workload, and all of them together, are given up.
_PATIENCE, _GIVE_UP = 120.0, 600
#: Seconds after which no more single runs are started: a system that takes a second each gets fewer of them.
_TOO_LONG = 10.0


def main() -> None:
    """Prepare, and run the workloads: first those that do the same however fast a system is."""
    name, setting, scale = sys.argv[1], sys.argv[2], float(sys.argv[3])
    dsn = os.environ["BENCH_DSN"]
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(_GIVE_UP)
    load(name)(dsn, setting).prepare()
    system = load(name)(dsn, setting)
    with psycopg.connect(dsn, autocommit=True) as connection:
        system.open()
        with closing(system):
            if system.workers:
                _tell(_starts.__name__, system, _starts(system, scale))
            with _workers(system, name, setting) as workers:
                for workload in (_latency, _chain, _fanout):
                    _tell(workload.__name__, system, workload(system, connection, workers, scale))


def _give_up(signum: int, frame: object) -> NoReturn:
    sys.exit("it takes too long")


def _tell(workload: str, system: System, figures: dict[str, object]) -> None:
    print(json.dumps({"workload": workload.strip("_"), **figures, "checked": system.proof}), flush=True)


def _chain(system: System, connection: psycopg.Connection[Any], workers: list[int], scale: float) -> dict[str, object]:
    """Batches of runs of three steps: each until no run is open."""
    inputs = range(max(int(_RUNS * scale), 10))

    def once(started: range) -> Sequence[object]:
        runs = system.start_many("chain", started)
        _until(system.is_idle, "the chains")
        return runs

    warm = inputs[: len(inputs) // 10]
    system.check("chain", warm, once(warm))
    with measured(connection, workers) as cost:
        batches = list(_again_and_again(lambda: once(inputs)))
    system.check("chain", [*inputs] * len(batches), [run for batch in batches for run in batch])
    steps = len(batches) * len(inputs) * _STEPS
    return {"steps": steps, **cost.of_each(steps)}


def _fanout(system: System, connection: psycopg.Connection[Any], workers: list[int], scale: float) -> dict[str, object]:
    """Fan-outs, one after the other: each until the caller has the sum and no task is open."""
    tasks = max(int(_TASKS * min(scale, 1)), 10)

    def once(size: int) -> object:
        run = system.start("fanout", size)
        assert system.result(run) == expected("fanout", size)
        _until(system.is_idle, "the fan-out")
        return run

    warm = tasks // 10
    system.check("fanout", [warm], [once(warm)])
    with measured(connection, workers) as cost:
        runs = list(_again_and_again(lambda: once(tasks)))
    system.check("fanout", [tasks] * len(runs), runs)
    return {"tasks": len(runs) * tasks, **cost.of_each(len(runs) * tasks)}


def _latency(
    system: System, connection: psycopg.Connection[Any], workers: list[int], scale: float
) -> dict[str, object]:
    """One-step runs, one after the other: from the start to the result in the caller's hand."""
    taken: list[float] = []
    most, ends = max(int(500 * scale), 10), time.monotonic() + _TOO_LONG
    for number in range(-most // 10, most):
        began = time.perf_counter()
        output = system.result(system.start("single", number))
        ended = time.perf_counter()
        assert output == expected("single", number)
        if number >= 0:
            taken.append((ended - began) * 1000)
        if time.monotonic() > ends and len(taken) >= 10:
            break
    percentiles = statistics.quantiles(taken, n=100, method="inclusive")
    return {
        "runs": len(taken),
        "p50_ms": round(percentiles[49], 2),
        "p99_ms": round(percentiles[98], 2),
        "max_ms": round(max(taken), 2),
    }


def _starts(system: System, scale: float) -> dict[str, object]:
    """Starts of one-step runs by one caller, while nobody works them."""
    alone, bulk = max(int(500 * scale), 10), max(int(2_000 * scale), 10)
    system.start_many("single", range(10))
    began = time.perf_counter()
    for number in range(alone):
        system.start("single", number)
    between = time.perf_counter()
    system.start_many("single", range(bulk))
    ended = time.perf_counter()
    return {
        "starts": alone,
        "per_second": round(alone / (between - began), 1),
        "starts_in_bulk": bulk,
        "per_second_in_bulk": round(bulk / (ended - between), 1),
    }


def _again_and_again(once: Callable[[], T]) -> Iterator[T]:
    ends = time.monotonic() + _ENOUGH
    yield once()
    while time.monotonic() < ends:
        yield once()


@contextmanager
def _workers(system: System, name: str, setting: str) -> Iterator[list[int]]:
    command = [sys.executable, "-m", "benchmarks.peers.worker", name, setting]
    processes = [subprocess.Popen([*command, worker]) for worker in system.workers]
    try:
        # Who is up to work has worked, what was merely started until now too.
        for flow in ("chain", "single"):
            runs = system.start_many(flow, range(10))
            _until(system.is_idle, "the workers")
            if flow == "chain":
                system.check(flow, range(10), runs)
        yield [process.pid for process in processes]
        ended = [process.args for process in processes if process.poll() is not None]
        assert not ended, f"workers have ended: {ended}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _until(condition: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > ends:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.01)


if __name__ == "__main__":
    main()

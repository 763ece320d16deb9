"""The flows that run while workers die, and what each run must come to, computed beside the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypedDict

from attrs import frozen

from pgflow.dsl import Flow
from pgflow.worker import Context, FailPermanently, RetryAfter

#: No mayhem takes so many attempts from a task that has to complete.
_MANY = 100
#: The attempts of a step that never succeeds.
_USED_UP = 2

BOOKING_STEP = "book"
"""The step of which each completed task leaves one row in chaos.effects."""

chain = Flow("chain", max_attempts=_MANY, base_delay=0)
diamond = Flow("diamond", max_attempts=_MANY, base_delay=0)
nested = Flow("nested", max_attempts=_MANY, base_delay=0)
slow = Flow("slow", max_attempts=_MANY, base_delay=0)
refused = Flow("refused", max_attempts=_MANY, base_delay=0)
exhausted = Flow("exhausted", max_attempts=_MANY, base_delay=0)
misshapen = Flow("misshapen", max_attempts=_MANY, base_delay=0)
booked = Flow("booked", max_attempts=_MANY, base_delay=0)
gated = Flow("gated", max_attempts=_MANY, base_delay=0)

FLOWS = [chain, diamond, nested, slow, refused, exhausted, misshapen, booked, gated]


class Numbered(TypedDict):
    """The input of a run; the number tells the runs of an experiment apart."""

    number: int


class Sized(Numbered):
    """The input of a run that fans out."""

    size: int


class Timed(Numbered):
    """The input of a run whose handlers take their time."""

    seconds: float


class Gated(Numbered):
    """The input of a run whose handler waits for a file."""

    folder: str


# A chain whose steps fail and are retried at once, ask for a later attempt, and begin late.


@chain.step
def begin(run: Numbered) -> int:
    return run["number"]


@chain.step(depends_on=[begin])
def stumble(begin: int, ctx: Context) -> int:
    if ctx.attempt <= 2:
        raise ConnectionError("not yet")
    return 2 * begin


@chain.step(depends_on=[stumble])
def postpone(stumble: int, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise RetryAfter(0.3)
    return stumble + 1


@chain.step(depends_on=[postpone], start_delay=1)
def finish(postpone: int) -> int:
    return postpone + 1


# A diamond, one side of which is retried with backoff.


@diamond.step
def split(run: Numbered) -> int:
    return run["number"]


@diamond.step(depends_on=[split])
def left(split: int) -> int:
    time.sleep(0.2)
    return split + 1


@diamond.step(depends_on=[split], base_delay=1)
def right(split: int, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise TimeoutError("the first is free")
    return split + 2


@diamond.step(depends_on=[left, right])
def join(left: int, right: int) -> list[int]:
    return [left, right]


# A fan-out into a fan-out into a fan-out; empty ones go all the way down by themselves.


@nested.step
def sizes(run: Sized) -> list[int]:
    return list(range(run["size"]))


@nested.step(depends_on=[sizes], fanout=True)
def row(item: int) -> list[int]:
    return list(range(item))


@nested.step(depends_on=[row], fanout=True)
def cell(item: list[int]) -> int:
    time.sleep(0.02)
    return sum(item)


@nested.step(depends_on=[cell], fanout=True)
def doubled(item: int) -> int:
    return 2 * item


@nested.step(depends_on=[cell])
def total(cell: list[int]) -> int:
    return sum(cell)


# Handlers that outlast the lease.


@slow.step
def matters(run: Timed) -> list[float]:
    return [run["seconds"], run["seconds"], run["seconds"] / 2]


@slow.step(depends_on=[matters], fanout=True)
def ponder(item: float) -> float:
    time.sleep(item)
    return item


# Runs that have to fail: by a handler's verdict, with all attempts used up, and by an output of the wrong shape.


@refused.step
def candidates(run: Numbered) -> list[int]:
    return [10 * run["number"] + each for each in range(5)]


@refused.step(depends_on=[candidates], fanout=True)
def examine(item: int) -> int:
    if item % 10 == 3:
        raise FailPermanently(f"{item} can never work")
    return item


@refused.step(depends_on=[examine])
def never_reached(examine: list[int]) -> None:
    return None


@exhausted.step(max_attempts=_USED_UP)
def try_in_vain(run: Numbered) -> None:
    raise RuntimeError(f"no luck with {run['number']}")


@exhausted.step
def bystander(run: Numbered) -> None:
    time.sleep(0.5)


@misshapen.step
def no_list(run: Numbered) -> Any:
    return {"number": run["number"]}


@misshapen.step(depends_on=[no_list], fanout=True)
def of_what(item: Any) -> None:
    return None


# Handlers that write a row in the transaction in which their task completes.


@booked.step
def bookings(run: Sized) -> list[int]:
    return list(range(run["size"]))


@booked.step(depends_on=[bookings], fanout=True)
def book(item: int, ctx: Context) -> int:
    ctx.connection.execute("insert into chaos.effects (task) values (%s)", [ctx.idempotency_key])
    time.sleep(0.1)
    if item == 0 and ctx.attempt == 1:
        raise ConnectionError("after the row was written")
    return item


# A handler that waits for a file which names its attempt: for scenarios that say what comes when.


@gated.step
def wait_at_the_gate(run: Gated, ctx: Context) -> int:
    while not Path(run["folder"], f"go-{ctx.attempt}").exists():
        time.sleep(0.01)
    return run["number"]


@frozen
class Plan:
    """A run that is to be started, and what must come of it."""

    flow: Flow[Any]
    input: dict[str, Any]
    #: Of a run that completes.
    output: Any = None
    #: Of a run that fails.
    error: str | None = None
    #: The attempts that it uses up by design: where the last of them was lost with its worker, the engine says so in
    #: words of its own.
    used_up: int | None = None

    @property
    def number(self) -> int:
        """What tells the plans of an experiment apart."""
        number: int = self.input["number"]
        return number


def _chain(number: int, random: Random, lease: float) -> Plan:
    return Plan(chain, {"number": number}, {"finish": 2 * number + 2})


def _diamond(number: int, random: Random, lease: float) -> Plan:
    return Plan(diamond, {"number": number}, {"join": [number + 1, number + 2]})


def _nested(number: int, random: Random, lease: float) -> Plan:
    size = random.choice([0, 1, 3, 6, 12])
    sums = [sum(range(each)) for each in range(size)]
    output = {"total": sum(sums), "doubled": [2 * each for each in sums]}
    return Plan(nested, {"number": number, "size": size}, output)


def _slow(number: int, random: Random, lease: float) -> Plan:
    seconds = round(lease * random.uniform(1.2, 2.0), 2)
    return Plan(slow, {"number": number, "seconds": seconds}, {"ponder": [seconds, seconds, seconds / 2]})


def _refused(number: int, random: Random, lease: float) -> Plan:
    return Plan(refused, {"number": number}, error=f"{10 * number + 3} can never work")


def _exhausted(number: int, random: Random, lease: float) -> Plan:
    return Plan(exhausted, {"number": number}, error=f"RuntimeError: no luck with {number}", used_up=_USED_UP)


def _misshapen(number: int, random: Random, lease: float) -> Plan:
    return Plan(misshapen, {"number": number}, error="Fanout dependency output must be an array, got object")


def _booked(number: int, random: Random, lease: float) -> Plan:
    size = random.randint(1, 6)
    return Plan(booked, {"number": number, "size": size}, {"book": list(range(size))})


_MIX: list[Callable[[int, Random, float], Plan]] = [
    _chain, _chain, _diamond, _diamond, _nested, _nested, _nested, _slow, _slow, _refused, _exhausted, _misshapen,
    _booked, _booked,
]  # fmt: skip


def mixed(count: int, random: Random, lease: float) -> list[Plan]:
    """Return so many plans, each kind as often as its share says, in an order of their own."""
    kinds = [_MIX[number % len(_MIX)] for number in range(count)]
    random.shuffle(kinds)
    return [make(number, random, lease) for number, make in enumerate(kinds)]

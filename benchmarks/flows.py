"""The flows that are measured. Their handlers do nothing: what is left is what the engine costs."""

from __future__ import annotations

import time
from typing import Any

from pgflow import Flow

chain = Flow("bench-chain", input=int)
fanout: Flow[Any] = Flow("bench-fanout")
single = Flow("bench-single", input=int)
slow = Flow("bench-slow", input=int)


@chain.step
def first(run: int) -> int:
    return run + 1


@chain.step(depends_on=[first])
def second(first: int) -> int:
    return first + 1


@chain.step(depends_on=[second])
def third(second: int) -> int:
    return second + 1


@fanout.step
def items(run: Any) -> Any:
    """An array of ``count`` items, each with so many bytes of ``padding``."""
    padding = "x" * run["padding"]
    return [{"n": n, "padding": padding} if padding else n for n in range(run["count"])]


@fanout.step(depends_on=[items], fanout=True)
def each(item: Any) -> Any:
    return item["n"] if isinstance(item, dict) else item


@fanout.step(depends_on=[each])
def total(each: Any) -> int:
    return sum(each)


@single.step
def only(run: int) -> int:
    return run + 1


@slow.step
def numbers(run: int) -> list[int]:
    return list(range(run))


@slow.step(depends_on=[numbers], fanout=True)
def five_milliseconds(item: int) -> int:
    """A handler that waits for something else, as most do."""
    time.sleep(0.005)
    return item


def _chain_of(length: int) -> Flow[Any]:
    flow: Flow[Any] = Flow("bench-long-chain")
    last: str | None = None
    for number in range(length):

        def pass_on(deps: dict[str, int]) -> int:
            return sum(deps.values()) + 1

        slug = f"step-{number}"
        flow.step(slug, depends_on=[last] if last else [])(pass_on)
        last = slug
    return flow


def _diamond_of(width: int) -> Flow[Any]:
    flow: Flow[Any] = Flow("bench-diamond")

    def top(run: int) -> int:
        return run

    def middle(top: int) -> int:
        return top + 1

    def bottom(deps: dict[str, int]) -> int:
        return sum(deps.values())

    flow.step("top")(top)
    for number in range(width):
        flow.step(f"middle-{number}", depends_on=["top"])(middle)
    flow.step("bottom", depends_on=[f"middle-{number}" for number in range(width)])(bottom)
    return flow


def _cascade_of(depth: int) -> Flow[Any]:
    flow: Flow[Any] = Flow("bench-cascade")

    def nothing(run: int) -> list[int]:
        return []

    def pass_on(item: int) -> int:
        return item

    flow.step("level-0")(nothing)
    for number in range(1, depth + 1):
        flow.step(f"level-{number}", depends_on=[f"level-{number - 1}"], fanout=True)(pass_on)
    return flow


LONG, WIDE, DEEP = 500, 200, 60
long_chain = _chain_of(LONG)
diamond = _diamond_of(WIDE)
cascade = _cascade_of(DEEP)
nested: Flow[Any] = Flow("bench-nested")


@nested.step
def outer(run: int) -> list[int]:
    return list(range(run))


@nested.step(depends_on=[outer], fanout=True)
def inner(item: int) -> int:
    return item


@nested.step(depends_on=[inner], fanout=True)
def innermost(item: int) -> int:
    return item


@nested.step(depends_on=[innermost])
def count(innermost: list[int]) -> int:
    return len(innermost)

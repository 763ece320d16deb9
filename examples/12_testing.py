"""Tests of a flow: of a step by itself, of a whole run, and of one that fails.

``pytest examples/12_testing.py`` says::

    3 passed
"""

from collections.abc import Callable

from pgflow import Context, FailPermanently, Flow
from pgflow.testing import DrivenRun, assert_failed, run_step

flow = Flow("ship-parcels", input=list[int])


@flow.step
def weigh(run: list[int]) -> list[int]:
    return [kilos for kilos in run if kilos]


@flow.step(depends_on=[weigh], fanout=True)
def send(kilos: int, ctx: Context) -> str:
    if kilos > 30:
        raise FailPermanently(f"{kilos} kg is too heavy")
    if ctx.attempt == 1:
        raise ConnectionError("the carrier does not answer")
    return f"{kilos} kg by bicycle"


def test_a_step() -> None:
    assert run_step(send, deps={weigh: [3]}, attempt=2) == ["3 kg by bicycle"]


def test_a_run(pgflow_run: Callable[..., DrivenRun]) -> None:
    assert pgflow_run(flow, [3, 0, 4]).step(send).output == ["3 kg by bicycle", "4 kg by bicycle"]


def test_a_failure(pgflow_run: Callable[..., DrivenRun]) -> None:
    assert_failed(pgflow_run(flow, [3, 31]), send, match="too heavy")

"""Whoever meets on a run, in whatever order and wherever one of them is stopped: it is as if they had come in turn.

Every two functions of the engine that can meet on a run do so, in both orders: the first in a transaction that is held
open until the second waits for it, and with the second stopped at each lock that it takes while the first does all it
has to do. The first commits, or rolls back. Nothing deadlocks, nothing fails, every invariant holds, and what is left
is what one of the two serial orders leaves.
"""

from __future__ import annotations

import pytest

from tests.interleavings.meeting import Arena
from tests.interleavings.operations import Operation
from tests.interleavings.scenarios import SCENARIOS, Scenario


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    proof = metafunc.config.getoption("--proof")
    pairs = [(scenario, *pair) for scenario in SCENARIOS for pair in scenario.pairs(proof=proof)]
    ids = [f"{scenario}: {first}, meanwhile {second}" for scenario, first, second in pairs]
    metafunc.parametrize(("scenario", "first", "second"), pairs, ids=ids)


def test_it_is_as_if_they_had_come_in_turn(
    arena: Arena, scenario: Scenario, first: Operation, second: Operation
) -> None:
    assert arena.complaints(scenario, first, second) == []

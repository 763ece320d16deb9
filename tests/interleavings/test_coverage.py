"""No function of the engine is left out of the pairs without a reason."""

from __future__ import annotations

from tests.interleavings.meeting import Arena
from tests.interleavings.scenarios import SCENARIOS

MEETS_NOBODY = {
    "calculate_retry_delay": "computes from its arguments alone",
    "is_valid_slug": "computes from its arguments alone",
    "new_run_id": "computes from the clock alone",
    "oldest_code": "returns a constant",
    "raise_exception": "only raises",
    "spawn_fanout_tasks": "is the engine's own, called under the lock of the run by what completes its dependency",
}


def test_every_public_function_meets_the_others_or_says_why_it_meets_nobody(arena: Arena) -> None:
    public = arena.observer.rows(
        "select proname from pg_proc where pronamespace = 'pgflow'::regnamespace and proname not like E'\\\\_%%'"
    )
    met = {operation.function for scenario in SCENARIOS for pair in scenario.pairs(proof=True) for operation in pair}
    assert met.isdisjoint(MEETS_NOBODY)
    assert {row["proname"] for row in public} == met | MEETS_NOBODY.keys()


def test_every_two_operations_of_a_scenario_meet_in_both_orders() -> None:
    for scenario in SCENARIOS:
        pairs = set(scenario.pairs(proof=True))
        assert {(second, first) for first, second in pairs} == pairs
        assert {(first, second) for first in scenario.own for second in scenario.operations} <= pairs

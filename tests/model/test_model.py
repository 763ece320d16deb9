"""Random histories of random flows: whatever happens, the engine does what its specification does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import EngineMachine, Stage

SHARDS = 4
ACTIONS_OF_A_PROOF = 20_000
ACTIONS_OF_EVERY_DAY = 600


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_engine_does_what_its_specification_does(stage: Stage, proof: bool, shard: int) -> None:
    wanted = (ACTIONS_OF_A_PROOF if proof else ACTIONS_OF_EVERY_DAY) // SHARDS
    done = 0

    class Counted(EngineMachine):
        def teardown(self) -> None:
            nonlocal done
            done += self.both.actions
            super().teardown()

    while done < wanted:
        run_state_machine_as_test(
            lambda: Counted(stage),
            settings=settings(
                max_examples=100 if proof else 5,
                stateful_step_count=50,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.reuse, Phase.generate),
            ),
        )
    print(f"{done} actions, and both agreed after each")
    assert done >= wanted

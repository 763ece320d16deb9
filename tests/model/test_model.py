"""Random histories of random flows: whatever happens, the engine does what its specification does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model.histories import play
from tests.model.machine import Stage

SHARES = 8
ACTIONS_OF_A_PROOF = 24_000
ACTIONS_OF_EVERY_DAY = 800


@pytest.mark.parametrize("share", range(SHARES))
def test_the_engine_does_what_its_specification_does(
    stage: Stage, proof: bool, share: int, record_property: Callable[[str, object], None]
) -> None:
    wanted = (ACTIONS_OF_A_PROOF if proof else ACTIONS_OF_EVERY_DAY) // SHARES
    done = play(stage, wanted, simplify=proof)

    record_property("actions", done)
    assert done >= wanted

from __future__ import annotations

import pytest

from tests.plugins.engine import Engine


@pytest.mark.parametrize(
    ("base_delay", "attempts", "seconds"),
    [(1, 0, 1), (1, 1, 2), (1, 2, 4), (5, 1, 10), (3, 10, 3072), (0, 1, 0), (0, 100, 0), (0.5, 1, 1), (0.3, 1, 0)],
)
def test_the_base_is_doubled_for_each_attempt(engine: Engine, base_delay: float, attempts: int, seconds: int) -> None:
    assert engine.value("select pgflow.calculate_retry_delay(%s::numeric, %s)", base_delay, attempts) == seconds


@pytest.mark.parametrize(("base_delay", "attempts"), [(5, 29), (1, 31), (1, 10_000), (2_147_483_647, 2_147_483_647)])
def test_it_saturates_instead_of_overflowing(engine: Engine, base_delay: int, attempts: int) -> None:
    assert engine.value("select pgflow.calculate_retry_delay(%s, %s)", base_delay, attempts) == 2_147_483_647

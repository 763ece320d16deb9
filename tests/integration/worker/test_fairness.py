"""A crowd in one flow, and what others have to wait because of it."""

from __future__ import annotations

import pytest

from tests.integration.worker.conftest import Processes, Runs
from tests.plugins.waiting import until

ITEMS = 10_000


@pytest.mark.parametrize("workers", [1, 3])
def test_a_single_step_is_not_starved_by_a_large_fanout(workers: int, processes: Processes, runs: Runs) -> None:
    for _ in range(workers):
        processes.start()

    def completed() -> int:
        done = "select count(*) from pgflow.step_tasks where step_slug = 'each' and status = 'completed'"
        count: int = runs.engine.value(done)
        return count

    runs.start("crowd", ITEMS)
    until(lambda: completed() > 0)
    before = completed()
    assert runs.output(runs.start("quick", 21)) == {"double": 42}

    # However long the machine took, what came later did not wait for the crowd.
    assert completed() - before < ITEMS / 2

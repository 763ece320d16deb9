from __future__ import annotations

import pytest

from pgflow.worker import Outcome


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome(), 0),
        (Outcome(handed_back=2), 3),
        (Outcome(unreported=1), 3),
        (Outcome(killed_by=2), 130),
        (Outcome(handed_back=1, killed_by=15), 143),
    ],
)
def test_the_exit_status_says_how_it_ended(outcome: Outcome, status: int) -> None:
    assert outcome.exit_status == status

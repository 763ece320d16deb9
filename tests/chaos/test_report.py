"""What is printed of an experiment."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.crafted import PLAN, sound
from tests.chaos.experiment import Findings
from tests.chaos.history import Mishap
from tests.chaos.report import lines, takeovers


def test_a_takeover_is_measured_from_the_kill() -> None:
    history = sound()
    assert takeovers(history) == [pytest.approx(2.0)]
    assert takeovers(history, server_stayed=True) == [pytest.approx(2.0)]

    history.mishaps = [*history.mishaps, Mishap("restart", None, 2.0, 2.5)]
    assert takeovers(history) == [pytest.approx(2.0)]
    assert takeovers(history, server_stayed=True) == []


def test_the_figures_come_first_and_then_what_is_wrong() -> None:
    findings = Findings(sound(), [PLAN], Counter(kills=1), 4.0, ["the sky fell"] * 50)
    printed = list(lines(findings))

    assert printed[0] == "done: 1 kills"
    assert printed[1] == "runs: 1 in 4 s, 1 completed; tasks: 2; attempts: 4; events: 6"
    assert printed[2] == "attempts lost with their workers: 1; handed back: 0; late reports ignored: 0"
    assert printed[3].endswith(
        "after 2.00 s at the median, 2.00 s at most; 1 of 1 within the lease of 2 s and a second"
    )
    assert printed.count("WRONG: the sky fell") == 40
    assert printed[-2:] == ["… and 10 more", "violations: 50"]

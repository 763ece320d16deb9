"""The short form of ``make chaos``: at least one blow of each kind."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom

from tests.chaos.experiment import Settings, conduct


def test_no_run_notices_what_happens_to_workers_and_server(tmp_path: Path) -> None:
    settings = Settings(seconds=2, workers=4, runs=28, seed=SystemRandom().randrange(10**6), lease=1.0, pause=0.3)
    findings = conduct(settings, tmp_path)

    assert findings.violations == [], f"{settings}, logs in {tmp_path}"
    for blow in ("kills", "suspensions", "stops", "connections of clients cut", "restarts"):
        assert findings.done[blow], f"{blow}: none"

"""Whatever is broken in the engine, a random history finds it: the comparison is no formality."""

from __future__ import annotations

import pytest

from tests.model.comparison import DisagreementError
from tests.model.histories import play
from tests.model.machine import Stage
from tests.model.sabotage import SABOTAGES, Sabotage
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine

#: Actions after which the search is given up; it ends with the first find. Histories are made up anew each time, and
#: 20,000 actions have missed the rarest of these.
ENOUGH = 60_000
EVERY_DAY = 3


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All of them in the proof, the few that are found soonest every day."""
    if "sabotage" in metafunc.fixturenames:
        chosen = SABOTAGES if metafunc.config.getoption("--proof") else SABOTAGES[-EVERY_DAY:]
        metafunc.parametrize("sabotage", chosen, ids=lambda sabotage: sabotage.name)


def test_it_is_found(stage: Stage, database: Connection, sabotage: Sabotage) -> None:
    sabotage.commit(Engine(database))

    with pytest.raises(DisagreementError):
        play(stage, ENOUGH)


def test_a_function_that_says_something_else_is_not_taken_for_a_broken_one(database: Connection) -> None:
    with pytest.raises(LookupError, match="does not say"):
        Sabotage("", "_claim", {"anything else": ""}).commit(Engine(database))

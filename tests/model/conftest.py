"""A database on which one history after another is acted out, each beginning with nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.model.machine import Stage
from tests.model.side_by_side import SideBySide
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine
from tests.plugins.listening import Ear


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared."""
    passed: list[pytest.TestReport] = terminalreporter.getreports("passed")
    actions = sum(int(str(count)) for test in passed for name, count in test.user_properties if name == "actions")
    if actions:
        terminalreporter.write_line(f"{actions} actions, after each of which engine and specification agreed")


@pytest.fixture
def stage(connect: Callable[..., Connection]) -> Stage:
    """Enters an engine without flows and its specification, side by side."""
    engine, ear = Engine(connect()), Ear(connect())

    @contextmanager
    def enter() -> Iterator[SideBySide]:
        try:
            yield SideBySide(engine, ear)
        finally:
            for flow in engine.rows("select flow_slug from pgflow.flows"):
                engine.call("delete_flow", p_flow_slug=flow["flow_slug"])
            ear.leave_all()

    return enter


@pytest.fixture
def both(stage: Stage) -> Iterator[SideBySide]:
    """An engine and its specification, for one history that is written down."""
    with stage() as both:
        yield both

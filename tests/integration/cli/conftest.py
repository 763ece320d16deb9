"""The command ``pgflow``, run in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from pgflow.cli import main

Pgflow: TypeAlias = Callable[..., Result]


@pytest.fixture
def pgflow(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Pgflow:
    """Runs ``pgflow`` with arguments on the database of the test."""
    monkeypatch.setenv("PGFLOW_DSN", dsn)

    def run(*arguments: str, input: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=input)

    return run

"""The command ``pgflow``, run in the test's own process on a database of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import define
from click.testing import CliRunner, Result

from pgflow.cli import main
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine


@pytest.fixture
def engine(database: Connection) -> Engine:
    """The engine on a session of its own, where each call commits."""
    return Engine(database)


@define
class Pgflow:
    """``pgflow`` without a terminal."""

    dsn: str

    def __call__(self, *arguments: str, input: str | None = None) -> Result:
        """Run it with `arguments`, and `input` on its standard input."""
        return CliRunner().invoke(main, arguments, input=input, env={"PGFLOW_DSN": self.dsn})

    def output(self, *arguments: str, status: int = 0) -> str:
        """What it prints; its exit status has to be `status`."""
        result = self(*arguments)
        assert result.exit_code == status, result.output
        return result.output

    def objects(self, *arguments: str) -> list[Any]:
        """The JSON that it prints, a document a line."""
        return [json.loads(line) for line in self.output(*arguments).splitlines()]


@pytest.fixture
def pgflow(dsn: str) -> Pgflow:
    """The command on `dsn`."""
    return Pgflow(dsn)

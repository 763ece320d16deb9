"""The README and the documentation's first page: the example is run as printed, and the commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path
from typing import cast

import psycopg
import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations

import pgflow.cli
from pgflow import migrations
from tests.docs.pages import DOCS, Page

README = Page("../README.md")
HOME = Page("index.md")

#: Whose commands take too long to be run here, or are run by other tests.
PAGES = [README, HOME, Page("concepts/performance.md"), Page("concepts/recovery.md")]


def first_example() -> str:
    return next(README.blocks("python")).text


def test_the_example_is_as_short_as_it_should_be() -> None:
    assert len([line for line in first_example().splitlines() if line]) <= 25


def test_the_example_prints_what_is_said_below_it(dsn: str, tmp_path: Path) -> None:
    saved_as, printed = re.findall(r"Saved as `(\S+)`, `\S+ \S+` prints\s+`([^`]+)`", README.text)[0]
    (tmp_path / saved_as).write_text(first_example(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, saved_as],
        env={**os.environ, "PGFLOW_DSN": dsn},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == f"{printed}\n"
    assert [(each.line, each.shown.strip()) for each in HOME.transcript()][-1] == (f"python {saved_as}", printed)


def test_the_first_page_has_the_example_of_the_readme() -> None:
    markers = re.findall(
        r"<!-- --8<-- \[start:(\w+)\] -->\n```python\n(.*?)```\n<!-- --8<-- \[end", README.text, re.DOTALL
    )
    assert dict(markers) == {"flow": first_example()}
    assert '--8<-- "README.md:flow"' in HOME.text


def test_a_revision_of_a_project_of_ones_own_installs_and_removes_the_schema(blank_dsn: str) -> None:
    _, revision = README.blocks("python")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(blank_dsn))
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        names: dict[str, object] = {}
        exec(compile(revision.text, "README.md", "exec", dont_inherit=True), names)
        for step, installed in (("upgrade", migrations.head()), ("downgrade", None)):
            names[step]()  # type: ignore[operator]
            assert migrations.current(cast("psycopg.Connection", connection.connection.driver_connection)) == installed
    engine.dispose()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_the_commands_of_the_page_exist(page: Page) -> None:
    for line in page.commands():
        match shlex.split(line, comments=True):
            case ["make", *arguments]:
                subprocess.run(["make", "--dry-run", *arguments], cwd=DOCS.parent, check=True, capture_output=True)
            case ["pip", "install", requirement]:
                name, *extras = re.split(r"[\[,\]]+", requirement.removesuffix("]"))
                assert name == "pgflow-sdk"
                assert set(extras) <= set(metadata(name).get_all("Provides-Extra") or [])
            case ["pgflow", command, *arguments]:
                found = pgflow.cli.main.get_command(pgflow.cli.main.make_context("pgflow", ["--"]), command)
                assert found is not None
                found.make_context(command, arguments)
            case ["export", setting]:
                assert setting.startswith("PGFLOW_DSN=")
            case ["python", file]:
                assert file == "letters.py"
            case unknown:
                pytest.fail(f"{unknown} is not checked")

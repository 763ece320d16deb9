"""Every numbered example prints what its docstring promises, and does so again on the same database."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
NUMBERED = sorted(FOLDER.glob("[0-9][0-9]_*"))

#: Lines that an example may have at most. Mapped classes take some; the last two are what is done in practice.
MOST_LINES = {"06_sqlalchemy": 49, "09_etl": 80, "10_llm": 80}


def docstring_of(example: Path) -> str:
    return ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or ""


def promised_output(example: Path) -> str:
    """The indented block at the end of the module's docstring."""
    return textwrap.dedent(docstring_of(example).partition("::\n\n")[2]).strip()


def command_of(example: Path) -> list[str]:
    """What readers are told to type, with the Python of these tests."""
    (program,) = re.findall(rf"``(python|pytest) examples/{example.name}`` (?:prints|says)::", docstring_of(example))
    # Of this project's own settings and plugins a reader has none.
    options = ["-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"] if program == "pytest" else []
    return [sys.executable, *options, str(example)]


def test_there_are_numbered_examples() -> None:
    assert [example.name[:2] for example in NUMBERED] == [f"{number:02}" for number in range(1, len(NUMBERED) + 1)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) <= MOST_LINES.get(example.stem, 39)


@pytest.mark.parametrize("page", ["examples/README.md", "docs/examples.md"])
def test_an_index_has_a_row_for_every_example(page: str) -> None:
    rows = re.findall(r"^\| \W*(\d\d_\w+\.\w+)", (FOLDER.parent / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [example.name for example in NUMBERED]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_prints_what_it_promises(example: Path, dsn: str, tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            command_of(example),
            env=dict(os.environ, PGFLOW_DSN=dsn, PGFLOW_TEST_DSN=dsn),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        shown = re.sub(r"^\.+ +\[100%\]\n|(?<= passed) in .*", "", done.stdout)
        assert (shown.strip(), done.returncode) == (promised_output(example), 0), done.stderr

"""Every numbered example prints what its docstring promises."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("[0-9][0-9]_*.py"))


def promised_output(example: Path) -> str:
    """The indented block at the end of the module's docstring."""
    docstring = ast.get_docstring(ast.parse(example.read_text())) or ""
    return textwrap.dedent(docstring.partition("::\n\n")[2]).strip()


def test_there_are_numbered_examples() -> None:
    assert [example.name[:2] for example in EXAMPLES] == [f"{number:02}" for number in range(1, len(EXAMPLES) + 1)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len(example.read_text().splitlines()) < 40


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_prints_what_it_promises(example: Path, dsn: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(example)],
        env=dict(os.environ, PGFLOW_DSN=dsn),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (promised_output(example), 0), done.stderr

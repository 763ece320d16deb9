"""The two indexes of the examples, as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import Command, Page
from tests.plugins.waiting import DEADLINE, until

CHECKOUT = Path(__file__).resolve().parents[2]
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

INDEX = Page("examples.md")
README = Page("../examples/README.md")


def run(command: Command, dsn: str) -> str:
    """Type a line into a shell, and return what it prints."""
    done = subprocess.run(
        ["sh", "-c", command.line],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": PATH, "PGFLOW_DSN": dsn},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", [INDEX, README], ids=lambda page: page.path)
def test_what_is_to_be_installed_can_be(page: Page) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"(?<=[`' ])\.\[(\w+)\]", page.text)
    assert set(named) <= set(project["optional-dependencies"])
    assert page.commands()[0] == "pip install -e '.[examples]'"


def test_the_index_shows_what_an_example_prints(dsn: str) -> None:
    _, hello = INDEX.transcript()
    assert hello.matches(run(hello, dsn))


def test_an_example_runs_as_the_readme_says(dsn: str, tmp_path: Path) -> None:
    _, hello, diamond, dev, start = README.transcript()
    assert run(hello, dsn)
    assert run(Command(re.sub(r"^PGFLOW_DSN=\S+ ", "", diamond.line), ""), dsn)

    log = tmp_path / "dev.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            ["sh", "-c", f"exec {dev.line} --dsn '{dsn}'"],
            cwd=CHECKOUT,
            env={**os.environ, "PATH": PATH},
            stdout=output,
            stderr=output,
        )
    try:
        until(
            lambda: " serves quote-parcel" in log.read_text() or worker.poll() is not None,
            "a worker",
            timeout=3 * DEADLINE,
        )
        assert start.matches(run(start, dsn))
    finally:
        worker.terminate()
        assert worker.wait(3 * DEADLINE) == 0, log.read_text()

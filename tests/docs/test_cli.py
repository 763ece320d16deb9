"""The guide to the command line, as printed: its transcripts are those of a real session."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import Page
from tests.plugins.waiting import until

PATIENCE = 60.0

PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


GUIDE = Page("guides/cli.md")


def test_every_command_prints_what_the_guide_shows(folder: Path) -> None:
    GUIDE.write_files(folder)
    install, dev, *others = GUIDE.transcript()
    assert install.line.startswith("pip install")
    subprocess.run(
        [sys.executable, "-m", "alembic", "init", "migrations"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    environment = {**os.environ, "PATH": PATH}
    log = folder / "dev.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            ["sh", "-c", f"exec {dev.line}"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        until(lambda: " serves hello\n" in log.read_text() or running.poll() is not None, "a worker", timeout=PATIENCE)
        # Where root's server needs a system user's rights, it says so first.
        said = log.read_text()
        assert dev.matches(said[said.index("PostgreSQL runs") :])
        found = re.search(r"export PGFLOW_DSN='(.*)'", said)
        assert found is not None
        environment["PGFLOW_DSN"] = found[1]
        for command in others:
            done = subprocess.run(
                ["bash", "-c", command.line],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert done.returncode == 0, (command.line, done.stdout)
            assert command.matches(done.stdout), (command, done.stdout)
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE) == 0, log.read_text()


@pytest.mark.parametrize(("words", "completions"), [("pgflow mig", ["migrate"]), ("pgflow start --fo", ["--follow"])])
def test_the_shell_is_told_what_may_follow(words: str, completions: list[str]) -> None:
    environment = {**os.environ, "PATH": PATH, "_PGFLOW_COMPLETE": "bash_complete", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split()) - 1)
    done = subprocess.run(["pgflow"], env=environment, capture_output=True, text=True, check=True)

    assert [line.removeprefix("plain,") for line in done.stdout.splitlines()] == completions


def test_the_guide_names_every_command() -> None:
    from pgflow.cli import _COMMANDS

    assert [name for name in _COMMANDS if f"| `pgflow {name}` |" not in GUIDE.text] == []

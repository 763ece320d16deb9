"""Lines that readers type, typed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click

from pgflow.cli import main

#: The interpreter's own programs come first, as after activating its environment.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line by bash; what it says on standard error is part of its output."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": PATH, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def parse(line: str) -> click.Context:
    """Have click read a line that begins with ``pgflow``, without running anything."""
    program, name, *arguments = shlex.split(line)
    assert program.rpartition("/")[2] == "pgflow", line
    command = main.get_command(click.Context(main), name)
    assert command is not None, line
    return command.make_context(name, arguments)

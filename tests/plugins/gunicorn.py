"""A gunicorn of a test's own, with an application in processes of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from attrs import frozen

from tests.plugins.waiting import DEADLINE, until

ROOT = Path(__file__).resolve().parents[2]


@frozen
class Gunicorn:
    """A server that answers at `url`; its process is the parent of those that do the work."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def workers(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        return psutil.Process(self.process.pid).children()

    def threads(self) -> int:
        """How many threads they have."""
        return sum(worker.num_threads() for worker in self.workers())


@contextmanager
def gunicorn(app: str, folder: Path, *options: str, **environment: str) -> Iterator[Gunicorn]:
    """Serve an application, which gunicorn finds by its name, during the block; its log is in the folder."""
    log = folder / "gunicorn.log"
    command = [sys.executable, "-m", "gunicorn", app, "--bind", "127.0.0.1:0", "--no-control-socket", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until(
            lambda: process.poll() is not None or "Booting worker" in log.read_text(),
            "a gunicorn with a worker",
            timeout=3 * DEADLINE,
        )
        found = re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text())
        assert found is not None, log.read_text()
        yield Gunicorn(found[1], process, log)
    finally:
        process.terminate()
        process.wait(3 * DEADLINE)

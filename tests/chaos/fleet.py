"""The worker processes of an experiment: each is ended by its own id, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from attrs import define, field

from tests.chaos.journal import Notes

_ROOT = Path(__file__).parents[2]


@define(eq=False)
class WorkerProcess:
    """One of them."""

    name: str
    process: subprocess.Popen[bytes]
    journal: Path
    log: Path
    suspended: bool = False
    #: Whether it was told to stop in order.
    stopping: bool = False
    killed: bool = False
    _id: UUID | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it serves its flows."""
        if self._id is None and (notes := self.notes()).ready:
            self._id = notes.worker
        return self._id is not None

    @property
    def worker_id(self) -> UUID:
        """The id in the database of one that is ready."""
        if not self.is_ready or self._id is None:
            raise LookupError(f"{self.name} is not ready")
        return self._id

    def notes(self) -> Notes:
        """What its journal says so far."""
        return Notes.read(self.journal)

    def kill(self) -> None:
        """End it without a word."""
        self.killed = True
        self.process.kill()

    def suspend(self) -> None:
        """Have it stand still."""
        self.suspended = True
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        self.process.send_signal(signal.SIGCONT)
        self.suspended = False

    def stop(self) -> None:
        """Ask it to finish what it does and to end."""
        self.stopping = True
        self.process.send_signal(signal.SIGTERM)


@define(eq=False)
class Fleet:
    """Starts workers and, at the end of its block, ends every one that is left."""

    dsn: str
    folder: Path
    lease: float
    concurrency: int = 12
    #: Seconds that a worker which is told to stop gives its handlers; what is slower is handed back.
    grace: float = 0.5
    started: list[WorkerProcess] = field(factory=list)

    def start(self) -> WorkerProcess:
        """Start one; it is ready some time later."""
        name = f"worker-{len(self.started) + 1}"
        journal, log = self.folder / f"{name}.jsonl", self.folder / f"{name}.log"
        options = {
            "--journal": journal, "--lease": self.lease, "--concurrency": self.concurrency, "--grace": self.grace,
        }  # fmt: skip
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.chaos.worker",
                    name,
                    *(str(each) for pair in options.items() for each in pair),
                ],
                env={**os.environ, "PGFLOW_DSN": self.dsn},
                cwd=_ROOT,
                stdout=output,
                stderr=output,
                # Ctrl-C is for whoever conducts the experiment.
                start_new_session=True,
            )
        self.started.append(WorkerProcess(name, process, journal, log))
        return self.started[-1]

    @property
    def at_work(self) -> list[WorkerProcess]:
        """Those that serve their flows and were not told to stop."""
        return [
            each
            for each in self.started
            if not each.killed and not each.suspended and not each.stopping and each.is_ready
        ]

    def stop(self, timeout: float) -> None:
        """Stop all in order; who does not end in time, or has not even begun, is killed."""
        for each in self.started:
            if each.process.poll() is not None or each.stopping:
                continue
            if each.is_ready:
                each.stop()
            else:
                each.kill()
        ends = time.monotonic() + timeout
        for each in self.started:
            try:
                each.process.wait(max(ends - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        for each in self.started:
            if each.process.poll() is None:
                each.process.kill()  # ends a suspended process too
        for each in self.started:
            each.process.wait()

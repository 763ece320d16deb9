"""The worker of ``pgflow dev`` as its parent sees it, and the changes after which it is started anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import watchfiles
from attrs import define, field

__all__ = ["WorkerProcess", "changes"]

#: Seconds beyond the grace period that a worker has to report and to close its connections.
_MARGIN = 5.0
#: Milliseconds after which a look at the worker is taken although no file has changed.
_GLANCE = 100


class Stop(Protocol):
    """What tells whether to stop."""

    def is_set(self) -> bool:
        """Whether it is time."""
        ...


def changes(folders: Sequence[Path], stop: Stop) -> Iterator[list[str]]:
    """Yield the names of Python files that have changed together, and nothing now and then, until it is time to stop.

    What virtual environments, caches and version control keep below the folders does not count.

    :raises OSError: if the folders cannot be watched.
    """
    for found in watchfiles.watch(
        *folders,
        watch_filter=watchfiles.PythonFilter(),
        stop_event=stop,
        rust_timeout=_GLANCE,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        yield sorted({Path(path).name for _, path in found})


@define(eq=False)
class WorkerProcess:
    """A worker in a process of its own, at the block's end at the latest stopped; there is at most one at a time.

    It ends when its standard input does, and so also when this process is killed. Signals of the terminal do not reach
    it: it has a session of its own.
    """

    _arguments: Sequence[str]
    _dsn: str
    _grace: float
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop()

    def restart(self) -> None:
        """Stop it in order, if it runs, and start it with the code as it now is."""
        self._stop()
        environment: dict[str, Any] = {**os.environ, "PGFLOW_DSN": self._dsn}
        # Bytecode is found by a file's size and second, and two changes may share both.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pgflow.cli._dev_worker", *self._arguments],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def has_just_ended(self) -> int | None:
        """The exit status of a worker that has ended by itself, the first time that is asked; else None."""
        if self._process is None or self._process.poll() is None:
            return None
        status = self._process.returncode
        self._stop()
        return status

    def _stop(self) -> None:
        """Have it stop in order; it is killed if it does not, or if a second signal says so."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(self._grace + _MARGIN)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

"""Processes for the time of a ``with`` block, such as a worker, as it would run in production: ``pgflow worker …``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

__all__ = ["child_process", "worker_process"]

_GRACE_SECONDS = 3.0
"""For handlers to finish what they are at; what they do not finish is handed back."""

_STOP_SECONDS = 20.0
"""For all of that and the last reports; a process that takes longer is killed."""

_EXAMPLES = Path(__file__).resolve().parent.parent


def worker_process(target: str, dsn: str, log: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a worker for the time of a ``with`` block; afterwards it is gone, whatever it was doing.

    :param target: ``MODULE:FLOW``, with what is in ``examples`` importable.
    :param dsn: the database; it goes by the environment, where other users of the machine cannot read it.
    :param log: the file that takes what the worker says; overwritten.
    """
    arguments = ["-m", "pgflow", "worker", target, "--grace", str(_GRACE_SECONDS)]
    return child_process(arguments, {"PGFLOW_DSN": dsn}, log)


@contextmanager
def child_process(
    arguments: Sequence[str], settings: Mapping[str, str], log: Path, *, pass_fds: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python for the time of a ``with`` block, with what is in ``examples`` importable.

    :param arguments: what follows ``python`` on the command line.
    :param settings: environment variables besides those that there are.
    :param log: the file that takes what the process says; overwritten.
    :param pass_fds: descriptors that it inherits.
    """
    environment = {**os.environ, **settings, "PYTHONPATH": _and(str(_EXAMPLES), "PYTHONPATH", os.pathsep)}
    for name in ("NO_PROXY", "no_proxy"):
        # Where a proxy leads to the web, the site on loopback is not behind it.
        environment[name] = _and("127.0.0.1", name, ",")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=pass_fds,
            # Ctrl-C reaches every process of the terminal's group: this one is told by us, and once.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()


def _and(value: str, name: str, separator: str) -> str:
    """A value before what the environment variable holds already."""
    return separator.join(filter(None, (value, os.environ.get(name))))

"""A process that is a worker and nothing else."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import NoReturn

from pgflow.worker import Worker

__all__ = ["log_to_stderr", "serve"]


def log_to_stderr(level: str) -> None:
    """Log from this level on, unless the program that this is part of has said where its logs go."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # One announces itself when it is imported, the other each attempt to connect; the worker tells of outages itself.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def serve(worker: Worker, *, grace: float) -> NoReturn:
    """Work until SIGTERM or SIGINT and end the process, with the status that says how it went."""
    outcome = worker.run(grace=grace)
    # What is left is the interpreter's end. A signal may cut it short as it would any other program's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if outcome.killed_by is not None:
        _exit_now(outcome.exit_status)
    sys.exit(outcome.exit_status)


def _exit_now(status: int) -> NoReturn:
    """End the process without waiting for what handlers may have left running, such as threads of their own."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

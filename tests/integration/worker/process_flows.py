"""Flows for worker processes; their handlers show what they do by files in the folder that the run is about."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from pgflow.dsl import Flow
from pgflow.worker import Context

# First, so that it is asked first wherever a worker does not see to fairness.
crowd = Flow("crowd", input=int)
quick = Flow("quick", base_delay=0)
patient = Flow("patient", base_delay=0, timeout=int(os.environ.get("PATIENT_TIMEOUT", "60")))
deadly = Flow("deadly", max_attempts=2, base_delay=0)


@quick.step
def double(run: int) -> int:
    return 2 * run


@patient.step
def wait(run: str, ctx: Context) -> int:
    """Wait for the file ``go``, or ``break-`` and the number of the attempt, which is the result or the failure.

    A file of the attempt holds the process's id.
    """
    folder = Path(run)
    (folder / "new").write_text(str(os.getpid()))
    (folder / "new").rename(folder / f"attempt-{ctx.attempt}")
    while not (folder / "go").exists():
        if (folder / f"break-{ctx.attempt}").exists():
            raise ValueError(f"attempt {ctx.attempt} broke")
        threading.Event().wait(0.01)
    return ctx.attempt


@deadly.step
def die(run: str) -> None:
    os._exit(1)


@crowd.step
def items(run: int) -> list[int]:
    return list(range(run))


@crowd.step(depends_on=[items], fanout=True)
def each(item: int) -> None:
    threading.Event().wait(0.005)

"""Waiting for what another thread is about to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], timeout: float = 10) -> None:
    """Return as soon as ``condition`` holds; fail the test if it never does."""
    pause = threading.Event()
    ends = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < ends, f"it did not happen within {timeout} s"
        pause.wait(0.002)

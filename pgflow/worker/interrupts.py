"""SIGTERM and SIGINT, where a worker owns the main thread."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["SecondSignal", "termination_signals"]


class SecondSignal(BaseException):
    """A second signal has come while the first was being obeyed: leave now."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


@contextmanager
def termination_signals(on_first: Callable[[int], None]) -> Iterator[None]:
    """Call ``on_first`` with the first signal and raise `SecondSignal` in the main thread at the second.

    ``on_first`` runs between two bytecodes of the main thread, whatever locks that holds: it may only do what is
    reentrant. The handlers before are put back in the end. In any other thread nothing is installed, because Python
    allows it in the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        if received:
            raise SecondSignal(signum)
        received.append(signum)
        on_first(signum)

    previous = {signum: signal.signal(signum, handle) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            # None: the handler was not installed from Python and cannot be put back by it.
            signal.signal(signum, signal.SIG_DFL if handler is None else handler)

"""Note that somebody wants the program to stop, without tearing it out of what it is doing."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

__all__ = ["StopSignals"]


class StopSignals:
    """A context manager that keeps the first SIGINT, SIGTERM or SIGHUP in ``received``, to be looked at when it suits.

    An exception in the middle of starting a server or a process would lose track of it. The second signal raises
    `KeyboardInterrupt` all the same, for whoever cannot wait.
    """

    def __init__(self) -> None:
        #: The signal that came; None as long as none did.
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started by nohup, to outlive its terminal
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

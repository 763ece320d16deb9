"""A way to interrupt a thread that waits for descriptors."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress

__all__ = ["Waker"]


class Waker:
    """A pair of connected sockets, one of which a selector waits for: readable once `set`, until `clear`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._reader.fileno()

    def set(self) -> None:
        """Wake the waiting thread, now or when it next waits; from any thread."""
        # A full buffer wakes as well as another byte would, and a closed one has nobody to wake.
        with suppress(OSError):
            self._writer.send(b"\0")

    def wait(self, timeout: float) -> None:
        """Wait until it is set or ``timeout`` seconds are over."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            selector.select(timeout)
        self.clear()

    def clear(self) -> None:
        """Wait again; what was set before this call has been seen."""
        with suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends; idempotent."""
        self._reader.close()
        self._writer.close()

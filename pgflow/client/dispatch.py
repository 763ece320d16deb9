"""The one thread that calls receivers which users have connected.

The listener's thread must not wait for them: it wakes the callers that block, leaves a note here, and goes on. Calls
are made in the order in which they were left, so that the events of a run reach its receivers in order; a slow receiver
delays only other receivers, and an exception is logged and stops nobody.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from blinker import Signal

from pgflow import signals
from pgflow._fork import forget_after_fork
from pgflow.abc import FlowRunView
from pgflow.events import Event, RunCompleted, RunFailed, RunStarted, StepCompleted, StepFailed, StepStarted

__all__ = ["SIGNALS", "Dispatcher", "dispatcher"]

logger = logging.getLogger(__name__)

SIGNALS: dict[type[Any], Signal] = {
    RunStarted: signals.run_started,
    RunCompleted: signals.run_completed,
    RunFailed: signals.run_failed,
    StepStarted: signals.step_started,
    StepCompleted: signals.step_completed,
    StepFailed: signals.step_failed,
}

# Seconds without work after which the thread ends, and for which receivers are waited for at the interpreter's exit.
_LINGER = 5.0
_LAST_CALLS = 2.0


class Dispatcher:
    """Calls receivers one after the other on a thread that is there while there is something to call."""

    def __init__(self) -> None:
        self._is_drained_at_exit = False
        self.after_fork()
        forget_after_fork(self)

    def after_fork(self) -> None:
        """Leave thread and calls to the parent."""
        self._changed = threading.Condition()
        self._calls: deque[Callable[[], object]] = deque()
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[], object]) -> None:
        """Have ``call`` called after everything that was submitted before."""
        with self._changed:
            self._calls.append(call)
            if self._thread is None:
                if not self._is_drained_at_exit:
                    # Not earlier: what is registered last is called first, and receivers may need their client.
                    self._is_drained_at_exit = True
                    atexit.register(self.drain, _LAST_CALLS)
                self._thread = threading.Thread(target=self._run, name="pgflow-receivers", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def send(self, event: Event, run: FlowRunView) -> None:
        """Have the receivers of the event's public signal called, if it has any."""
        signal = SIGNALS[type(event)]
        if signal.receivers:
            self.submit(lambda: _send(signal, event, run))

    def drain(self, timeout: float) -> bool:
        """Wait until everything submitted has been called; return whether that was within ``timeout`` seconds."""
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: not self._calls and not self._is_busy, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
                if not self._changed.wait_for(lambda: bool(self._calls), _LINGER):
                    self._thread = None
                    return
                call = self._calls.popleft()
                self._is_busy = True
            try:
                call()
            except Exception:
                logger.exception("a receiver failed")
            # What it refers to, a run and its client, must not live until the next call.
            del call


def _send(signal: Signal, event: Event, run: FlowRunView) -> None:
    if signal.is_muted:
        return
    # Not signal.send(): that stops at the first exception.
    for receiver in list(signal.receivers_for(run.flow_slug)):
        try:
            receiver(run.flow_slug, run=run, event=event)
        except Exception:
            logger.exception("a receiver of %s failed for run %s", type(event).__name__, run.run_id)


dispatcher = Dispatcher()
"""The process's one. A script that ends when its run does still sees its receivers called."""

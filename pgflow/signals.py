"""One blinker signal for each kind of event, of every run that is watched in this process.

The sender is the flow's slug, the keywords are ``run``, the `FlowRun`, and ``event``::

    @signals.run_failed.connect_via("analyze-websites")
    def tell_somebody(flow_slug, *, run, event): ...

Receivers are called on the dispatch thread, after the callers that block on the run have been woken, in order for each
run; an exception is logged and stops no other receiver. blinker holds receivers weakly: connect a closure with
``weak=False``. A run is watched while somebody waits for it, iterates over its events or has a receiver on it; nothing
is sent for other runs.
"""

from __future__ import annotations

from blinker import Namespace

__all__ = ["run_completed", "run_failed", "run_started", "step_completed", "step_failed", "step_started"]

_signals = Namespace()

run_started = _signals.signal("run-started", doc="A run has started; the event is a `RunStarted`.")
run_completed = _signals.signal("run-completed", doc="A run has completed; the event is a `RunCompleted`.")
run_failed = _signals.signal("run-failed", doc="A run has failed; the event is a `RunFailed`.")
step_started = _signals.signal("step-started", doc="A step has started; the event is a `StepStarted`.")
step_completed = _signals.signal("step-completed", doc="A step has completed; the event is a `StepCompleted`.")
step_failed = _signals.signal("step-failed", doc="A step has failed for good; the event is a `StepFailed`.")

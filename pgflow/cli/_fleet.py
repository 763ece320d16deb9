"""Everything that ``pgflow top`` reads, at one moment."""

from __future__ import annotations

import time

from attrs import field, frozen

from pgflow import inspection
from pgflow.inspection.rows import FlowRate, QueueDepth, RunningStep, WorkerRow
from pgflow.inspection.selecting import Connection

__all__ = ["Reading", "read_fleet"]


@frozen
class Reading:
    """Queues, runs and workers."""

    queues: list[QueueDepth]
    runs: list[FlowRate]
    #: Those that work, and those that died.
    workers: list[WorkerRow]
    running_steps: list[RunningStep]
    #: By the monotonic clock.
    read_at: float = field(factory=time.monotonic, repr=False)

    def rates_since(self, before: Reading) -> dict[str, float]:
        """How many tasks a second left the queue of each flow since an earlier reading."""
        known = {queue.flow_slug: queue for queue in before.queues}
        seconds = max(self.read_at - before.read_at, 1e-6)
        return {
            queue.flow_slug: max(_gone(queue) - _gone(known[queue.flow_slug]), 0) / seconds
            for queue in self.queues
            if queue.flow_slug in known
        }


def _gone(queue: QueueDepth) -> int:
    return queue.sent - queue.ready - queue.waiting


def read_fleet(connection: Connection) -> Reading:
    """Read it all."""
    return Reading(
        inspection.queue_depths(connection),
        inspection.flow_rates(connection),
        [worker for worker in inspection.workers(connection) if worker.status != "stopped"],
        inspection.running_steps(connection),
    )

"""The worker: claims tasks, runs handlers, reports."""

from pgflow.worker.context import Context
from pgflow.worker.control import FailPermanently, RetryAfter
from pgflow.worker.outcome import Outcome
from pgflow.worker.worker import Worker

__all__ = ["Context", "FailPermanently", "Outcome", "RetryAfter", "Worker"]

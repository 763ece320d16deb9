"""Durable workflows in the PostgreSQL you already run, for synchronous Python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgflow.client import FlowClient, FlowRun, FlowStep
    from pgflow.dsl import FanoutStep, Flow, Step, compile_flow
    from pgflow.errors import PgflowError, RunFailedError, WaitTimeoutError
    from pgflow.events import (
        Event,
        RunCompleted,
        RunFailed,
        RunStarted,
        StepCompleted,
        StepFailed,
        StepStarted,
    )
    from pgflow.models import RunStatus, StepStatus
    from pgflow.worker import Context, FailPermanently, RetryAfter, Worker

__all__ = [
    "Context",
    "Event",
    "FailPermanently",
    "FanoutStep",
    "Flow",
    "FlowClient",
    "FlowRun",
    "FlowStep",
    "PgflowError",
    "RetryAfter",
    "RunCompleted",
    "RunFailed",
    "RunFailedError",
    "RunStarted",
    "RunStatus",
    "Step",
    "StepCompleted",
    "StepFailed",
    "StepStarted",
    "StepStatus",
    "WaitTimeoutError",
    "Worker",
    "compile_flow",
]

#: Where they are, the quickest to import first.
_MODULES = ("errors", "models", "events", "dsl", "client", "worker")


def __getattr__(name: str) -> Any:
    """Import what is asked for and no more (PEP 562), so that ``pgflow --help`` need not wait for psycopg."""
    if name in _MODULES:
        return import_module(f"pgflow.{name}")
    if name in __all__:
        for module in map(import_module, (f"pgflow.{name}" for name in _MODULES)):
            if name in module.__all__:
                return globals().setdefault(name, getattr(module, name))
    raise AttributeError(f"module 'pgflow' has no attribute {name!r}", name=name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})

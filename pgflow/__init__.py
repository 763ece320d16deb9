"""Durable workflows in the PostgreSQL you already run, for synchronous Python."""

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

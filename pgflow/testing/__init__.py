"""Tests of flows without a worker: a whole run or one step, in the test's own thread and transaction."""

from pgflow.testing.assertions import assert_completed, assert_failed
from pgflow.testing.driving import Attempt, DrivenRun, run_flow
from pgflow.testing.stepping import run_step

__all__ = ["Attempt", "DrivenRun", "assert_completed", "assert_failed", "run_flow", "run_step"]

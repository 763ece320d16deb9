"""Starting runs and waiting for them."""

from pgflow.client.client import FlowClient
from pgflow.client.run import FlowRun
from pgflow.client.step import FlowStep

__all__ = ["FlowClient", "FlowRun", "FlowStep"]

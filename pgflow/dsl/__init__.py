"""What a flow is: pure Python, no I/O."""

from pgflow.dsl.compile import compile_flow
from pgflow.dsl.compiled import CompiledFlow, CompiledStep
from pgflow.dsl.converter import StrictConverter
from pgflow.dsl.flow import Flow
from pgflow.dsl.misfit import MisfitError
from pgflow.dsl.plain import to_json
from pgflow.dsl.step import AnyStep, FanoutStep, Step, StepHandle

__all__ = [
    "AnyStep",
    "CompiledFlow",
    "CompiledStep",
    "FanoutStep",
    "Flow",
    "MisfitError",
    "Step",
    "StepHandle",
    "StrictConverter",
    "compile_flow",
    "to_json",
]

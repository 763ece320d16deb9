"""A graph in the language of Mermaid, which GitHub, GitLab, notebooks and many wikis draw."""

from __future__ import annotations

from pgflow.graph.model import FlowGraph, GraphStep
from pgflow.graph.palette import look_of

__all__ = ["mermaid"]


def mermaid(graph: FlowGraph) -> str:
    """Return a flowchart; a fan-out has double sides, and the states of a run are in colour."""
    # Slugs may be words of the language, such as `end`, and numbers never are.
    names = {step.slug: f"s{number}" for number, step in enumerate(graph.steps)}
    lines = ["flowchart TD"]
    lines += [f"    {names[step.slug]}{_box(step)}" for step in graph.steps]
    lines += [f"    {names[dep]} --> {names[step.slug]}" for step in graph.steps for dep in step.deps]
    for status in sorted({step.status for step in graph.steps if step.status is not None}):
        look = look_of(status)
        members = ",".join(names[step.slug] for step in graph.steps if step.status is status)
        lines.append(f"    classDef {status} fill:{look.fill},stroke:{look.stroke},color:#111827")
        lines.append(f"    class {members} {status}")
    return "\n".join(lines) + "\n"


def _box(step: GraphStep) -> str:
    label = "<br/>".join(filter(None, [f"{look_of(step.status).mark} {step.slug}".strip(), step.note]))
    return f'[["{label}"]]' if step.is_fanout else f'["{label}"]'

"""Random flows, and values of all JSON types for what goes through them."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from tests.model.definitions import FlowDefinition, StepDefinition

MOST_STEPS = 12
MOST_ITEMS = 5


class Long(str):
    """A long text with a short representation."""

    def __repr__(self) -> str:
        return f"Long({self[0]!r} * {len(self)})"


_scalars = st.sampled_from([None, True, 0, 1.5, "", "déjà", {}, {"a": 1}])
_large = st.sampled_from([Long("x" * 300), Long("y" * 9000), {"z": [Long("ö" * 5000)]}])
values = st.one_of(_scalars, _scalars, _scalars, st.lists(_scalars, max_size=2), _large)
"""What a handler may return: small, kept beside its task, or too large for a notification."""

arrays = st.integers(0, MOST_ITEMS).flatmap(lambda items: st.lists(values, min_size=items, max_size=items))
inputs: st.SearchStrategy[Any] = st.sampled_from([None, 7, {"number": 7}, [], Long("z" * 9000)])

_attempts = st.integers(1, 3)
_base_delays = st.sampled_from([0, 1000, 5000])
# No moment falls within a history: what is hidden is hidden for much longer than one lasts.
_timeouts = st.sampled_from([1000, 100_000])
_start_delays = st.sampled_from([None, None, 0, 5000])


@st.composite
def steps(draw: st.DrawFn, slug: str, earlier: list[str]) -> StepDefinition:
    """A step after others: single or, if there are any, a fan-out over one of them."""
    is_fanout = bool(earlier) and draw(st.booleans())
    number = 1 if is_fanout else draw(st.sampled_from([0, 1, 1, 2, 3]))
    # Near ones are likelier, so that chains grow long.
    deps = [
        earlier[-1 - n] for n in draw(st.lists(st.integers(0, 11), max_size=number, unique=True)) if n < len(earlier)
    ]
    if is_fanout and not deps:
        deps = earlier[-1:]
    return StepDefinition(
        slug,
        tuple(deps),
        is_fanout,
        max_attempts=draw(st.none() | _attempts),
        base_delay=draw(st.none() | _base_delays),
        timeout=draw(st.none() | _timeouts),
        start_delay=draw(_start_delays),
    )


@st.composite
def flows(draw: st.DrawFn, slug: str) -> FlowDefinition:
    """A flow of up to 12 steps."""
    made: list[StepDefinition] = []
    for n in range(draw(st.integers(0, MOST_STEPS))):
        made.append(draw(steps(f"step-{n}", [step.slug for step in made])))
    return FlowDefinition(slug, tuple(made), draw(_attempts), draw(_base_delays), draw(_timeouts))


@st.composite
def other_options(draw: st.DrawFn, flow: FlowDefinition) -> FlowDefinition:
    """The same shape, the steps of which have other options."""
    options = [draw(steps(step.slug, [])) for step in flow.steps]
    again = zip(flow.steps, options, strict=True)
    changed = tuple(evolve(other, deps=step.deps, is_fanout=step.is_fanout) for step, other in again)
    return FlowDefinition(flow.slug, changed, draw(_attempts), draw(_base_delays), draw(_timeouts))


def rearranged(flow: FlowDefinition) -> FlowDefinition:
    """Another shape under the same slugs: each step depends on nothing."""
    return FlowDefinition(flow.slug, tuple(StepDefinition(step.slug) for step in flow.steps))

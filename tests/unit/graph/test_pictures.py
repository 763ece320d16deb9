"""Mermaid and SVG: what is in them, and where."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from pgflow.graph import FlowGraph
from pgflow.graph.layout import lay_out
from pgflow.graph.mermaid import mermaid
from pgflow.graph.svg import svg
from pgflow.models import StepStatus
from tests.unit.graph.graphs import DIAMOND, graph

SVG = "{http://www.w3.org/2000/svg}"

RUN = graph(
    {"list": [], "each": ["list"], "end": ["each"]},
    list={"status": StepStatus.COMPLETED, "seconds": 0.25},
    each={"status": StepStatus.STARTED, "is_fanout": True, "tasks": 2000, "done": 40, "retries": 1, "seconds": 61},
    end={"status": StepStatus.CREATED},
)


@st.composite
def graphs(draw: st.DrawFn) -> FlowGraph:
    """Any graph of up to a dozen steps."""
    slugs = [f"s{number}" for number in range(draw(st.integers(0, 12)))]
    return graph(
        {
            slug: draw(st.lists(st.sampled_from(slugs[:place]), unique=True)) if place else []
            for place, slug in enumerate(slugs)
        }
    )


def test_mermaid_draws_a_flow() -> None:
    assert mermaid(graph(DIAMOND, parse={"is_fanout": True})).splitlines() == [
        "flowchart TD",
        '    s0["fetch"]',
        '    s1[["parse"]]',
        '    s2["count"]',
        '    s3["store"]',
        "    s0 --> s1",
        "    s0 --> s2",
        "    s1 --> s3",
        "    s2 --> s3",
    ]


def test_mermaid_shows_the_states_of_a_run() -> None:
    text = mermaid(RUN)

    assert 's0["✓ list<br/>250 ms"]' in text
    assert 's1[["▶ each<br/>40 of 2,000 tasks, 1 failed attempt, 1 min 1 s"]]' in text
    assert "class s0 completed" in text
    assert "class s1 started" in text


def test_svg_is_xml_with_a_box_a_step_and_a_line_a_dependency() -> None:
    picture = ElementTree.fromstring(svg(RUN))

    groups = [group for group in picture.iter(f"{SVG}g") if group.get("class") == "pgflow-step"]
    assert [(group.get("data-step"), group.get("data-status")) for group in groups] == [
        ("list", "completed"),
        ("each", "started"),
        ("end", "created"),
    ]
    assert [len(group.findall(f"{SVG}rect")) for group in groups] == [1, 3, 1]
    assert len([path for path in picture.iter(f"{SVG}path") if path.get("marker-end")]) == 2
    title = picture.find(f"{SVG}title")
    assert title is not None
    assert title.text == "flow: list completed, each started, end created"


def test_a_flow_without_steps_is_drawn_too() -> None:
    assert ElementTree.fromstring(svg(graph({}))).tag == f"{SVG}svg"
    assert mermaid(graph({})) == "flowchart TD\n"


@given(graphs())
def test_boxes_do_not_overlap_and_lines_lead_down(drawn: FlowGraph) -> None:
    widths = {step.slug: 40.0 + 30 * place for place, step in enumerate(drawn.steps)}
    layout = lay_out(drawn, widths)

    for one, other in itertools.combinations(layout.boxes.values(), 2):
        if one.layer == other.layer:
            assert abs(one.x - other.x) >= (one.width + other.width) / 2
    for box in layout.boxes.values():
        assert box.x - box.width / 2 + 1e-6 >= 0
        assert box.x + box.width / 2 <= layout.width + 1e-6
    for line in layout.lines:
        numbers = [layer for _, layer in line.points]
        assert numbers == list(range(layout.boxes[line.dep_slug].layer, layout.boxes[line.step_slug].layer + 1))
    assert len(layout.lines) == sum(len(step.deps) for step in drawn.steps)


def test_every_state_is_told_by_a_mark_and_not_only_by_colour() -> None:
    assert all(mark in svg(RUN) for mark in "✓▶·")

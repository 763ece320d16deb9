"""A graph as an SVG picture, which stands by itself in a page, a document or a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pgflow.graph.layout import Box, Line, lay_out
from pgflow.graph.model import FlowGraph, GraphStep
from pgflow.graph.palette import look_of

__all__ = ["svg"]

_MARGIN = 12
_HEIGHT = 46
_LAYER = 92
#: Wider than the letters of any font that a browser would take: nobody can measure them here.
_LETTER, _SMALL_LETTER = 8.2, 6.6
_FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"


def svg(graph: FlowGraph) -> str:
    """Return the picture: dependencies above their dependents, fan-outs as a pile, the states of a run in colour."""
    layout = lay_out(graph, {step.slug: _width(step) for step in graph.steps})
    width = round(layout.width + 2 * _MARGIN + 6)
    height = max(layout.layers - 1, 0) * _LAYER + _HEIGHT + 2 * _MARGIN + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="{_FONT}">',
        f"<title>{escape(graph.flow_slug)}: {escape(_in_words(graph))}</title>",
        '<defs><marker id="pgflow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#6b7280"/></marker></defs>',
        '<g fill="none" stroke="#6b7280" stroke-width="1.5">',
        *(_line(line) for line in layout.lines),
        "</g>",
    ]
    for step in graph.steps:
        parts += _box(step, layout.boxes[step.slug])
    return "\n".join([*parts, "</svg>"])


def _in_words(graph: FlowGraph) -> str:
    if not graph.is_run:
        return ", ".join(step.slug for step in graph.steps) or "no steps"
    return ", ".join(f"{step.slug} {step.status}" for step in graph.steps)


def _title(step: GraphStep) -> str:
    return f"{look_of(step.status).mark} {step.slug}".strip()


def _note(step: GraphStep) -> str:
    return step.note or ("fan-out" if step.is_fanout else "")


def _width(step: GraphStep) -> float:
    return max(len(_title(step)) * _LETTER, len(_note(step)) * _SMALL_LETTER) + 28


def _box(step: GraphStep, box: Box) -> Iterator[str]:
    look = look_of(step.status)
    left, top = _MARGIN + box.x - box.width / 2, _top(box.layer)
    shape = f'width="{box.width:.1f}" height="{_HEIGHT}" rx="7" fill="{look.fill}" stroke="{look.stroke}"'
    dashes = ' stroke-dasharray="5 3"' if step.status == "cancelled" else ""
    yield f'<g class="pgflow-step" data-step="{escape(step.slug)}" data-status="{step.status or ""}">'
    for behind in (6, 3) if step.is_fanout else ():
        yield f'<rect x="{left + behind:.1f}" y="{top + behind}" {shape}/>'
    yield f'<rect x="{left:.1f}" y="{top}" {shape} stroke-width="1.5"{dashes}/>'
    middle = f'x="{_MARGIN + box.x:.1f}" text-anchor="middle"'
    note = _note(step)
    baseline = top + (20 if note else 28)
    yield f'<text {middle} y="{baseline}" font-size="14" font-weight="600" fill="#111827">{escape(_title(step))}</text>'
    if note:
        yield f'<text {middle} y="{top + 36}" font-size="11.5" fill="#374151">{escape(note)}</text>'
    yield "</g>"


def _line(line: Line) -> str:
    """A curve that leaves and arrives upright, and passes by the boxes of the layers between."""
    *between, last = line.points[1:]
    x = line.points[0][0] + _MARGIN
    y = float(_top(line.points[0][1]) + _HEIGHT)
    path = [f"M{x:.1f},{y:.1f}"]
    for point, layer in between:
        path.append(_curve(x, y, point + _MARGIN, _top(layer)))
        x, y = point + _MARGIN, float(_top(layer) + _HEIGHT)
        path.append(f"L{x:.1f},{y:.1f}")
    path.append(_curve(x, y, last[0] + _MARGIN, _top(last[1]) - 2))
    return f'<path d="{" ".join(path)}" marker-end="url(#pgflow-arrow)"/>'


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (to_y - y) / 2
    return f"C{x:.1f},{y + half:.1f} {to_x:.1f},{to_y - half:.1f} {to_x:.1f},{to_y:.1f}"


def _top(layer: int) -> int:
    return _MARGIN + layer * _LAYER

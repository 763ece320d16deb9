"""Places for the steps of a graph: in layers from the top down, ordered so that few of their lines cross.

The method is Sugiyama's. A step's layer is one below the lowest of its dependencies; a line that skips layers passes
through a point in each of them; points are ordered by where their neighbours are, down and up again a few times; then
each is drawn to the middle of its neighbours, as far as those beside it let it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from attrs import define, field, frozen

from pgflow.graph.model import FlowGraph

__all__ = ["Box", "Layout", "Line", "lay_out"]

_SWEEPS = 8
_GAP = 28.0

#: A step's slug, or a line's two ends and the layer where it passes.
_Point: TypeAlias = "str | tuple[str, str, int]"


@frozen
class Box:
    """A step's place: the middle of its box, its width, and its layer, 0 at the top."""

    x: float
    width: float
    layer: int


@frozen
class Line:
    """A line from a dependency to its dependent, by the points that it passes: where it is in which layer."""

    dep_slug: str
    step_slug: str
    points: tuple[tuple[float, int], ...]


@frozen
class Layout:
    """All places; x begins at 0."""

    boxes: Mapping[str, Box]
    lines: tuple[Line, ...]
    width: float
    layers: int


def lay_out(graph: FlowGraph, widths: Mapping[str, float]) -> Layout:
    """Return a place for every step, whose boxes are so wide."""
    points = _Points(graph, widths)
    for _ in range(_SWEEPS):
        points.order(points.layers, points.above)
        points.order(points.layers[::-1], points.below)
    points.spread()
    return points.layout()


@define
class _Points:
    graph: FlowGraph
    widths: Mapping[str, float]
    layers: list[list[_Point]] = field(factory=list)
    above: defaultdict[_Point, list[_Point]] = field(factory=lambda: defaultdict(list))
    below: defaultdict[_Point, list[_Point]] = field(factory=lambda: defaultdict(list))
    x: dict[_Point, float] = field(factory=dict)
    layer_of: dict[str, int] = field(factory=dict)
    paths: dict[tuple[str, str], list[_Point]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for step in self.graph.steps:
            layer = 1 + max((self.layer_of[dep] for dep in step.deps), default=-1)
            self.layer_of[step.slug] = layer
            self._add(step.slug, layer)
            for dep in step.deps:
                self._lead(dep, step.slug, layer)
        for layer_points in self.layers:
            self._place(layer_points, dict.fromkeys(layer_points, 0.0))

    def _add(self, point: _Point, layer: int) -> None:
        while len(self.layers) <= layer:
            self.layers.append([])
        self.layers[layer].append(point)

    def _lead(self, dep: str, slug: str, layer: int) -> None:
        between = range(self.layer_of[dep] + 1, layer)
        path: list[_Point] = [dep, *((dep, slug, number) for number in between), slug]
        for number, point in zip(between, path[1:-1], strict=True):
            self._add(point, number)
        for upper, lower in itertools.pairwise(path):
            self.below[upper].append(lower)
            self.above[lower].append(upper)
        self.paths[dep, slug] = path

    def order(self, layers: Iterable[list[_Point]], neighbours: Mapping[_Point, list[_Point]]) -> None:
        """Sort the points of each layer by where their neighbours are."""
        places = {point: place for layer in self.layers for place, point in enumerate(layer)}
        for layer in layers:
            middles = {
                point: sum(places[other] for other in neighbours[point]) / len(neighbours[point])
                if neighbours[point]
                else float(places[point])
                for point in layer
            }
            layer.sort(key=middles.__getitem__)
            places.update({point: place for place, point in enumerate(layer)})

    def spread(self) -> None:
        """Draw the points to the middle of their neighbours; the order stays."""
        for layer in self.layers:
            self._place(layer, dict.fromkeys(layer, 0.0))
        for _ in range(_SWEEPS):
            for layers, neighbours in ((self.layers, self.above), (self.layers[::-1], self.below)):
                for layer in layers:
                    self._place(layer, {point: self._middle(point, neighbours[point]) for point in layer})

    def _middle(self, point: _Point, others: list[_Point]) -> float:
        return sum(self.x[other] for other in others) / len(others) if others else self.x[point]

    def _place(self, layer: list[_Point], wanted: Mapping[_Point, float]) -> None:
        """Place a layer's points where they want to be, moved apart from left to right and back by half of that."""
        right_to_left: dict[_Point, float] = {}
        left_to_right: dict[_Point, float] = {}
        for way, found, sign in ((layer, left_to_right, 1), (layer[::-1], right_to_left, -1)):
            edge: float | None = None
            for point in way:
                half = self._width(point) / 2
                place = sign * wanted[point] if edge is None else max(sign * wanted[point], edge + half)
                found[point] = sign * place
                edge = place + half + _GAP
        for point in layer:
            self.x[point] = (left_to_right[point] + right_to_left[point]) / 2

    def _width(self, point: _Point) -> float:
        return self.widths[point] if isinstance(point, str) else 0.0

    def layout(self) -> Layout:
        """Return the places that were found."""
        edges = [(self.x[point], self._width(point) / 2) for layer in self.layers for point in layer]
        left = min((x - half for x, half in edges), default=0.0)
        right = max((x + half for x, half in edges), default=0.0)
        boxes = {slug: Box(self.x[slug] - left, self.widths[slug], layer) for slug, layer in self.layer_of.items()}
        lines = tuple(
            Line(dep, slug, tuple((self.x[point] - left, self.layer_of[dep] + i) for i, point in enumerate(path)))
            for (dep, slug), path in self.paths.items()
        )
        return Layout(boxes, lines, right - left, len(self.layers))

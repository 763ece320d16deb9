"""How the states of steps and runs look: a mark, so that nobody has to tell colours apart, and colours."""

from __future__ import annotations

from attrs import frozen

__all__ = ["LOOKS", "Look", "look_of"]


@frozen
class Look:
    """One state's."""

    mark: str
    #: A style of rich's.
    style: str
    #: Colours for pages; black text is readable on the first.
    fill: str
    stroke: str


LOOKS = {
    "created": Look("·", "dim", "#f3f4f6", "#9ca3af"),
    "started": Look("▶", "cyan", "#dbeafe", "#2563eb"),
    "completed": Look("✓", "green", "#dcfce7", "#16a34a"),
    "failed": Look("✗", "bold red", "#fee2e2", "#dc2626"),
    "cancelled": Look("-", "dim", "#e5e7eb", "#6b7280"),
}

_DEFINED = Look("", "", "#ffffff", "#4b5563")


def look_of(status: str | None) -> Look:
    """Return the look of a state, or that of a step which is only defined."""
    return _DEFINED if status is None else LOOKS[status]

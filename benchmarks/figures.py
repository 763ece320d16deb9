"""How figures of several rounds are written."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

__all__ = ["shown"]


def shown(values: Sequence[float]) -> str:
    """Return the median, with the least and the most in brackets where there are several; a dash for none."""
    if not values:
        return "\N{EN DASH}"
    median = _rounded(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_rounded(min(values))}\N{EN DASH}{_rounded(max(values))})"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

"""Seconds and durations as people write them on a command line."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["Seconds", "seconds_of"]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: A century: beyond it the database's own times end.
_LONGEST = 100 * 365 * 86_400


class Seconds(click.FloatRange):
    """A number of seconds within a range that can be waited, unlike NaN, which every range lets through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; click's ``BadParameter`` is raised for anything else."""
        seconds: float = super().convert(value, param, ctx)
        if not seconds <= _LONGEST:
            self.fail(f"{value!r} is no number of seconds that can be waited", param, ctx)
        return seconds


def seconds_of(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """The callback of an option that takes a duration: ``90s``, ``15m``, ``2h``, ``7d`` or ``1w`` as seconds."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhdw])", value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is no duration: write 90s, 15m, 2h, 7d or 1w")
    return min(float(found[1]) * _UNITS[found[2]], _LONGEST)

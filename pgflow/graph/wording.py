"""Times, numbers and foreign text as they are shown to people."""

from __future__ import annotations

__all__ = ["counted", "one_line", "printable", "spoken"]


def spoken(seconds: float) -> str:
    """Return a time of so many seconds with as much precision as one reads: ``340 ms``, ``1.5 s``, ``2 h 5 min``."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 task``, ``2,000 tasks``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_line(text: str | None, longest: int = 200) -> str:
    """Return a text that came from elsewhere on one line, cut to a length, without what would steer a terminal."""
    line = " ".join((text or "").split())
    shown = printable(line[: longest + 1])
    return shown if len(line) <= longest else shown[: longest - 1] + "…"


def printable(line: str) -> str:
    """Return a line that came from elsewhere without what would steer a terminal: such characters are spelled out."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)

"""The table of medians, in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["table"]

_DASH = "\N{EN DASH}"
#: Heading, workload, figure.
_COLUMNS = (
    ("chain of 3: steps/s", "chain", "per_second"),
    ("PostgreSQL ms a step", "chain", "postgres_ms"),
    ("Python ms a step", "chain", "python_ms"),
    ("fan-out of 500: tasks/s", "fanout", "per_second"),
    ("PostgreSQL ms a task", "fanout", "postgres_ms"),
    ("Python ms a task", "fanout", "python_ms"),
    ("one-step run: p50 ms", "latency", "p50_ms"),
    ("p99 ms", "latency", "p99_ms"),
    ("starts/s", "starts", "per_second"),
    ("starts/s in bulk", "starts", "per_second_in_bulk"),
)


def table(lines: Iterable[Mapping[str, Any]]) -> str:
    """One row for each system and setting; a cell is the median of the rounds, with the least and the most."""
    figures: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = {}
    for line in lines:
        of_setting = figures.setdefault((line["system"], line["setting"]), {})
        for _, workload, figure in _COLUMNS:
            if line["workload"] == workload and line.get(figure) is not None:
                of_setting.setdefault((workload, figure), []).append(line[figure])
    rows = [["system", "setting", *(heading for heading, *_ in _COLUMNS)]]
    rows.append(["---", "---", *("---:" for _ in _COLUMNS)])
    for (system, setting), found in figures.items():
        cells = (_cell(found.get((workload, figure), [])) for _, workload, figure in _COLUMNS)
        rows.append([system, setting, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return _DASH
    median = _number(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_number(min(values))}{_DASH}{_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

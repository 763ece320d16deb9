"""The table of medians, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.figures import shown

__all__ = ["table"]

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
        cells = (shown(found.get((workload, figure), [])) for _, workload, figure in _COLUMNS)
        rows.append([system, setting, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

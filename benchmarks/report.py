"""``python -m benchmarks.report RESULTS… [--plots FOLDER]``: lines of JSON as tables in Markdown, and as plots.

A figure of several rounds is its median, with the least and the most in brackets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.figures import shown

Figures: TypeAlias = dict[str, list[float]]
"""Each figure of a workload by its name, dots between the levels, over all rounds."""


def read(paths: Iterable[Path]) -> dict[str, Figures]:
    """Return the figures of each workload."""
    found: dict[str, Figures] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            result = json.loads(line)
            figures = found.setdefault(result.pop("workload"), {})
            result.pop("round", None)
            for name, value in _flat(result):
                figures.setdefault(name, []).append(value)
    return found


def table(figures: Figures) -> Iterator[str]:
    """Yield the lines of a table: one row for each group of figures."""
    groups: dict[str, dict[str, str]] = {}
    for name, values in figures.items():
        group, _, column = name.rpartition(".")
        groups.setdefault(group, {})[column] = shown(values)
    columns = list(dict.fromkeys(column for row in groups.values() for column in row))
    yield f"| | {' | '.join(column.replace('_', ' ') for column in columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for group, row in groups.items():
        cells = (row.get(column, "") for column in columns)
        yield f"| {group.replace('_', ' ')} | {' | '.join(cells)} |"


def plot(found: Mapping[str, Figures], folder: Path) -> None:
    """Draw the time of an item over the size of a run, and the rate over the number of workers."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "pgflow"  # the same picture for the same figures
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    if growth := found.get("growth"):
        figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
        for kind in ("items", "2_kb_items"):
            sizes, times = [], []
            for name, values in growth.items():
                group, _, column = name.rpartition(".")
                if column == "postgres_ms" and group.rpartition("_")[0] == kind:
                    sizes.append(int(group.rpartition("_")[2]))
                    times.append(statistics.median(values))
            axes.plot(sizes, times, marker="o", label=kind.replace("_", " "))
        axes.set(xscale="log", ylim=(0, None), xlabel="items of a fan-out", ylabel="PostgreSQL, ms an item")
        axes.legend()
        figure.savefig(folder / "growth.svg", metadata={"Date": None})
    if workers := found.get("workers"):
        figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
        for kind in dict.fromkeys(name.partition(".")[0] for name in workers if "." in name):
            rates = {
                int(name.rpartition(".")[2].partition("_")[0]): statistics.median(values)
                for name, values in workers.items()
                if name.startswith(f"{kind}.") and name.endswith("_per_second")
            }
            axes.plot(list(rates), list(rates.values()), marker="o", label=kind.replace("_", " "))
        axes.set(xscale="log", ylim=(0, None), xlabel="workers", ylabel="steps or tasks a second")
        axes.set_xticks([1, 2, 4, 8], labels=["1", "2", "4", "8"])
        axes.minorticks_off()
        axes.legend()
        figure.savefig(folder / "workers.svg", metadata={"Date": None})


def _flat(result: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)


def main() -> int:
    """Print the tables, and draw the plots where a folder is given for them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--plots", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    found = read(options.results)
    for workload, figures in found.items():
        print(f"### {workload}\n", *table(figures), "", sep="\n")
    if options.plots:
        plot(found, options.plots)
    return 0


if __name__ == "__main__":
    sys.exit(main())

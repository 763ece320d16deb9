"""The comparison's figures are those that were measured, and what it says of this project is so."""

from __future__ import annotations

import re
from importlib.metadata import version

from tests.docs.pages import Page

PAGE = Page("comparison.md")
NAMES = {"ours": "pgflow", "dbos": "DBOS", "absurd": "absurd", "procrastinate": "Procrastinate", "pgqueuer": "PgQueuer"}


def rows(text: str) -> list[list[str]]:
    """The cells of all lines of tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def measured() -> dict[tuple[str, str, str], str]:
    """The medians of the page on performance: system, setting and figure to what it has."""
    table = rows(Page("concepts/performance.md").text.partition("\n## Others\n")[2])
    header = table[0]
    return {
        (NAMES[row[0]], row[1], name): cell.split(" (")[0]
        for row in table[2:]
        for name, cell in zip(header[2:], row[2:], strict=True)
    }


def test_the_figures_are_those_that_were_measured() -> None:
    header, _, *lines = rows(PAGE.text.partition("\n## Figures\n")[2])
    figures = measured()
    assert {(name, setting) for name, setting, *_ in lines} == {(name, setting) for name, setting, _ in figures}
    for name, setting, *cells in lines:
        for figure, cell in zip(header[2:], cells, strict=True):
            assert cell == figures[name, setting, figure]


def test_those_who_do_better_are_named() -> None:
    figures = measured()

    def better(what: str, *, less: bool = False) -> set[tuple[str, str]]:
        values = {(name, setting): cell for (name, setting, figure), cell in figures.items() if figure == what}
        sign = -1 if less else 1
        ours = sign * float(values["pgflow", "as shipped"].replace(",", ""))
        return {
            key
            for key, cell in values.items()
            if any(map(str.isdigit, cell)) and sign * float(cell.replace(",", "")) > ours
        }

    assert {name for name, _ in better("one-step run: p50 ms", less=True)} == {"PgQueuer", "Procrastinate", "DBOS"}
    assert ("DBOS", "as shipped") not in better("one-step run: p50 ms", less=True)
    assert {name for name, _ in better("starts/s")} == {"PgQueuer", "absurd"}
    assert {name for name, _ in better("starts/s in bulk")} == {"PgQueuer"}
    assert better("fan-out of 500: tasks/s") == {("PgQueuer", "batches of 100")}
    assert better("chain of 3: steps/s") == set()


def test_every_system_has_a_version_and_a_column() -> None:
    systems = re.findall(r"^\| \[(\w+)\]\(\S+\) \| [\w-]+ [\d.]+ \|", PAGE.text, flags=re.MULTILINE)
    columns = [
        name
        for line in re.findall(r"^\| \| (?!version|setting)(.*) \|$", PAGE.text, flags=re.MULTILINE)
        for name in line.split(" | ")
    ]
    assert [*systems] == [name for name in columns if not name.startswith("pgflow")]
    assert f"pgflow {version('pgflow-sdk').rpartition('.')[0]}" in columns

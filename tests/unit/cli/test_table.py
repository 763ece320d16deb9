"""Tables on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pgflow.cli._table import FittingTable

RUN = "7eb131b2-5abc-7fb3-b019-3b33445a1304"
STORY = "NotJsonError: output of step 'pack' of flow 'ship-orders': $: expected list[int], got a story"


def shown(width: int, *, error: str = STORY) -> list[str]:
    """The lines of a table, on a terminal so wide."""
    table = FittingTable(
        ("RUN", "STATUS", "STARTED", "TOOK", "ERROR"),
        right=("TOOK",),
        yielding=("ERROR",),
        dispensable=("STARTED", "ERROR", "TOOK", "STATUS"),
    )
    table.add_row(RUN, "✗ failed", "2026-11-23 02:26:09", "12.3 s", error)
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_where_there_is_room_nothing_is_cut() -> None:
    assert shown(200) == [
        f"{'RUN':36}  {'STATUS':8}  {'STARTED':19}  {'TOOK':>6}  ERROR",
        f"{RUN}  ✗ failed  2026-11-23 02:26:09  12.3 s  {STORY}",
    ]


def test_a_long_text_gives_way_before_anything_is_left_out() -> None:
    assert shown(100)[1] == f"{RUN}  ✗ failed  2026-11-23 02:26:09  12.3 s  NotJsonError: output o…"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, f"{RUN}  ✗ failed  12.3 s  NotJsonError: output of…"),
        (60, f"{RUN}  ✗ failed  12.3 s"),
        (50, f"{RUN}  ✗ failed"),
        (40, RUN),
    ],
)
def test_then_columns_are_left_out_one_after_the_other(width: int, line: str) -> None:
    assert shown(width)[1] == line


def test_a_short_text_keeps_nothing_from_others() -> None:
    assert shown(82, error="no")[1] == f"{RUN}  ✗ failed  2026-11-23 02:26:09  12.3 s  no"

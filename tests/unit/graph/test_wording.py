"""Times, numbers and foreign text as they are shown."""

from __future__ import annotations

import pytest

from pgflow.graph.wording import counted, one_line, spoken


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.0004, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_time_is_as_precise_as_one_reads(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_numbers_have_their_nouns() -> None:
    assert [counted(number, "task") for number in (0, 1, 2000)] == ["0 tasks", "1 task", "2,000 tasks"]


def test_foreign_text_stays_on_its_line_and_steers_nothing() -> None:
    assert one_line("a\n  b\x1b[31m\x9b") == "a b\\x1b[31m\\x9b"
    assert one_line(None) == ""
    assert one_line("x" * 10, 5) == "xxxx…"

"""How docstrings become Markdown for the reference."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import griffe
import pytest

from reference.docstrings import MarkdownDocstrings

OTHER = """
__all__ = ["OtherError"]

class OtherError(Exception):
    reason = ""
"""
MODULE = """
from pathlib import Path
from garden.other import OtherError as Renamed

class Bed:
    def plant(self):
        '''DOCSTRING'''

    def water(self): ...

    def __repr__(self): ...

    class Meta:
        ordering = ["plant"]
"""


@contextmanager
def garden(docstring: str = "") -> Iterator[griffe.Module]:
    """A package whose method ``Bed.plant`` has a docstring."""
    indented = textwrap.indent(docstring, " " * 8).lstrip()
    modules = {"__init__.py": MODULE.replace("DOCSTRING", indented), "other.py": OTHER}
    with griffe.temporary_visited_package(
        "garden", modules, extensions=griffe.load_extensions(MarkdownDocstrings)
    ) as package:
        yield package


def as_markdown(docstring: str) -> str:
    with garden(docstring) as package:
        written = package["Bed.plant"].docstring.value
        assert isinstance(written, str)
        return written


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("``code`` and ``{a: b}``", "`code` and `{a: b}`"),
        ("see `water`", "see [`water`][garden.Bed.water]"),
        ("see `Bed.water`", "see [`Bed.water`][garden.Bed.water]"),
        ("a `Renamed`", "a [`Renamed`][garden.other.OtherError]"),
        ("an `OtherError`", "an [`OtherError`][garden.other.OtherError]"),
        ("an `OtherError.reason`", "an [`OtherError.reason`][garden.other.OtherError.reason]"),
        ("`garden.other`", "[`garden.other`][garden.other]"),
        ("a `Path`, a `ValueError`, `os.path`", "a `Path`, a `ValueError`, `os.path`"),
        ("`garden water`", "`garden water`"),
    ],
)
def test_names_lead_to_what_they_name(written: str, shown: str) -> None:
    assert as_markdown(written) == shown


def test_a_name_that_is_not_found_stays_a_reference() -> None:
    assert as_markdown("see `weed`") == "see [`weed`][weed]"


def test_fields_become_lists() -> None:
    written = "Plant.\n\n:param what: a\n    tree.\n:param deep: centimetres.\n:raises OtherError: it is `water`.\n"

    assert as_markdown(written) == (
        "Plant.\n\n**Parameters:**\n\n- `what`: a tree.\n- `deep`: centimetres.\n\n"
        "**Raises:**\n\n- [`OtherError`][garden.other.OtherError]: it is [`water`][garden.Bed.water]."
    )


def test_what_is_indented_is_a_program() -> None:
    written = "So::\n\n    bed = 1\n\n    print(`x`)\n\nor::\n\n    bed = 1\n\n    bed = 2\n\nIt is `water`."

    assert as_markdown(written) == (
        "So:\n\n```text\nbed = 1\n\nprint(`x`)\n```\n\nor:\n\n```python\nbed = 1\n\nbed = 2\n```\n\n"
        "It is [`water`][garden.Bed.water]."
    )


def test_what_goes_without_a_docstring_is_left_out() -> None:
    with garden() as package:
        assert list(package["Bed"].members) == ["plant", "water"]

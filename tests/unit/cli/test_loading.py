"""Finding flows by what a command line says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgflow.cli._loading import load_flows
from pgflow.errors import DefinitionError

SOURCE = """
from pgflow.dsl import Flow

first = Flow("first-flow")
again = first
second = Flow("second-flow")
number = 3


@first.step
def greet(run: object) -> str:
    return "hello"
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the current directory, with two flows."""
    name = f"flows_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def slugs(*targets: str) -> list[str]:
    return [flow.slug for flow in load_flows(targets)]


def test_a_module_stands_for_every_flow_in_it_once(module: str) -> None:
    assert slugs(module) == ["first-flow", "second-flow"]


@pytest.mark.parametrize("name", ["second", "second-flow"])
def test_one_flow_goes_by_its_variable_or_its_slug(module: str, name: str) -> None:
    assert slugs(f"{module}:{name}") == ["second-flow"]


def test_a_flow_that_is_named_twice_is_served_once(module: str) -> None:
    assert slugs(f"{module}:first", module, f"{module}:again") == ["first-flow", "second-flow"]


def test_a_file_is_taken_by_its_path(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    assert slugs(f"../{module}.py:first") == ["first-flow"]
    # Its steps are found by their names, as a process pool needs.
    assert sys.modules[module].__file__ == str(tmp_path / f"{module}.py")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module_at_all", "there is no module 'no_such_module_at_all' here or installed"),
        ("no/such/file.py", "there is no such file"),
        ("json", "json has no Flow among its variables"),
        ("{module}:third", "has no flow 'third'; it has again, first, first-flow, second, second-flow"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(module: str, target: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        load_flows([target.format(module=module)])

    assert "\n" not in str(caught.value)


def test_an_error_in_the_module_is_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_flows.py").write_text("import json\n\nvalue = 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    with pytest.raises(DefinitionError, match=r"ZeroDivisionError: division by zero \(.*broken_flows.py:3\)"):
        load_flows(["broken_flows"])


def test_a_missing_import_of_the_module_is_not_taken_for_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needy_flows.py").write_text("import not_installed_here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    with pytest.raises(DefinitionError, match=r"needy_flows cannot be imported: .*'not_installed_here'"):
        load_flows(["needy_flows"])


def test_what_a_definition_refuses_is_found_in_the_file_that_defines_it(module: str, tmp_path: Path) -> None:
    path = tmp_path / f"{module}.py"
    path.write_text('from pgflow.dsl import Flow\n\nflow = Flow("two words")\n')

    with pytest.raises(DefinitionError, match=rf"'two words'.*\({re.escape(str(path))}:3\)$"):
        load_flows([module])

"""What the page for maintainers names is there, and nothing that they would look for is missing."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import DOCS, Page
from tests.packaging.test_layers import LAYERS, SOURCES, imports, module_of

PAGE = Page("architecture.md")
ROOT = DOCS.parent
FUNCTIONS = {path.stem for path in (ROOT / "alembic" / "functions").glob("*.sql")}

#: What stands in code marks outside of blocks.
NAMES = sorted(set(re.findall(r"`([^`\s]+)`", re.sub(r"^```.*?^```", "", PAGE.text, flags=re.DOTALL | re.MULTILINE))))


@pytest.mark.parametrize("path", [name for name in NAMES if "/" in name])
def test_a_path_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()
    assert (ROOT / path).is_dir() == path.endswith("/")


@pytest.mark.parametrize("module", [name for name in NAMES if name.startswith("pgflow.")])
def test_a_module_that_is_named_exists(module: str) -> None:
    assert importlib.util.find_spec(module)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if re.fullmatch(r"_\w+|\w+_(?:tasks?|flow|runs?|leases)", name)]
)
def test_a_function_that_is_named_exists(name: str) -> None:
    assert name in FUNCTIONS


def test_every_module_has_its_place() -> None:
    table = PAGE.text.partition("## Where everything lives\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`pgflow\.(\w+)`", table))
    assert named == {module_of(path) for path in SOURCES} - {""}


def test_every_folder_of_tests_is_explained() -> None:
    table = PAGE.text.partition("## How tests are laid out\n")[2]
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("**/*.py")) and path.is_dir()}
    assert folders - set(re.findall(r"`tests/(\w+)/`", table)) <= {"embedded", "__pycache__"}


def diagram() -> str:
    (block,) = PAGE.blocks("mermaid")
    return block.text


#: Names that mean something else to Mermaid are drawn as labels of others.
LABELS = dict(re.findall(r"^        (\w+)\[(\w+)\]$", diagram(), flags=re.MULTILINE))


def test_the_layers_are_drawn_as_they_are() -> None:
    drawn = [
        {LABELS.get(node, node) for node in re.findall(r"^        (\w+)", nodes, flags=re.MULTILINE)}
        for nodes in re.findall(r"subgraph .*?\]\n(.*?)\n    end", diagram(), flags=re.DOTALL)
    ]
    assert drawn == list(reversed(LAYERS))


def arrows() -> Iterator[tuple[str, str]]:
    for above, below in re.findall(r"^    (\w+) --> (\w+)$", diagram(), flags=re.MULTILINE):
        yield LABELS.get(above, above), LABELS.get(below, below)


@pytest.mark.parametrize(("above", "below"), [*arrows()])
def test_an_arrow_that_is_drawn_is_an_import(above: str, below: str) -> None:
    imported = {name for path in SOURCES if module_of(path) == above for name in imports(path)}
    assert any(re.match(rf"pgflow\.{below}\b", name) for name in imported)

"""Imports point one way: from what works to what it works with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgflow

PACKAGE = Path(pgflow.__file__).parent

#: From the bottom up; a module imports from its own layer and from those below it.
LAYERS = (
    {"errors", "models", "events", "abc", "graph"},
    {"dsl", "signals"},
    {"dsn", "_fork", "engine", "connector", "listener", "migrations", "schema", "embedded"},
    {"inspection"},
    {"client", "worker"},
    {"testing", "pytest_plugin", "cli", "__main__"},
    {"contrib"},
)

#: What a layer or module may not import, wherever in its text.
FORBIDDEN = {
    "errors": {"psycopg", "sqlalchemy", "alembic", "blinker", "click"},
    "models": {"psycopg", "sqlalchemy", "alembic", "blinker", "click"},
    "abc": {"psycopg", "sqlalchemy", "alembic", "blinker", "click"},
    "graph": {"psycopg", "sqlalchemy", "alembic", "blinker", "click"},
    "inspection": {"sqlalchemy", "alembic", "click", "rich"},
    "dsl": {"psycopg", "psycopg_pool", "sqlalchemy", "alembic", "blinker", "click", "rich"},
    "client": {"alembic", "click", "rich"},
    "worker": {"alembic", "sqlalchemy", "click", "rich"},
    "contrib": {"alembic", "sqlalchemy", "rich"},
}

#: The frameworks, each for one package alone.
FRAMEWORKS = {"flask": "flask", "werkzeug": "flask", "django": "django"}

SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "_alembic" not in path.parts)


def module_of(path: Path) -> str:
    """The module or package right below pgflow that a file belongs to; empty for pgflow itself."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def layer_of(module: str) -> int:
    found = [number for number, layer in enumerate(LAYERS) if module in layer]
    assert found, f"pgflow.{module} belongs to no layer: say to which in LAYERS"
    return found[0]


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, those for type checkers only left out."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module == "pgflow":
                yield from (f"pgflow.{alias.name}" for alias in node.names)
            else:
                yield node.module
        else:
            pending += ast.iter_child_nodes(node)


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", [path for path in SOURCES if module_of(path)], ids=name)
def test_a_module_imports_only_from_its_layer_and_below(path: Path) -> None:
    module = module_of(path)
    own = layer_of(module)
    ours = {imported.split(".")[1] for imported in imports(path) if imported.startswith("pgflow.")}
    above = {other for other in ours if layer_of(other) > own}
    assert above == set(), f"pgflow.{module} reaches up"


@pytest.mark.parametrize("path", [path for path in SOURCES if module_of(path) in FORBIDDEN], ids=name)
def test_a_module_keeps_away_from_what_is_not_its_business(path: Path) -> None:
    roots = {imported.split(".")[0] for imported in imports(path)}
    assert roots & FORBIDDEN[module_of(path)] == set()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_framework_is_imported_only_by_what_is_for_it(path: Path) -> None:
    packages = {FRAMEWORKS[root] for root in {imported.split(".")[0] for imported in imports(path)} & set(FRAMEWORKS)}
    assert all(path.is_relative_to(PACKAGE / "contrib" / package) for package in packages)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_is_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400, "which two ideas share that room?"


def test_the_package_itself_only_lists_names_and_finds_them_when_asked() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    code = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)]
    assert [getattr(node, "name", "lambda") for node in code] == ["__getattr__", "__dir__"]
    others = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    listing = [node for node in others if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")]
    assert all(isinstance(node, ast.Expr | ast.Assign) for node in listing), "imports, lists of names and no more"

"""The engine's functions and tables, read from the SQL that makes them."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import define, field, frozen

__all__ = ["Column", "Function", "Table", "read_functions", "read_tables"]

_ALEMBIC = Path(__file__).resolve().parents[1] / "alembic"

_SENTENCE = re.compile(r"(?<=\.)\s+")
_STATEMENT = re.compile(
    r"(?P<comment>(?:^--[^\n]*\n)*)^(?P<text>create (?:unlogged )?(?:table|type)|create (?:unique )?index|alter table)"
    r"(?P<rest> .*?);$",
    flags=re.MULTILINE | re.DOTALL,
)
_COLUMN = re.compile(r"(\w+) (.+?)( not null)?(?: default (.+))?", flags=re.DOTALL)


@frozen
class Function:
    """A function, and what the comment above it says."""

    name: str

    #: From the name to the result, as it is written.
    signature: str

    purpose: str

    #: What it locks, and who calls it; empty where the comment does not say.
    locks: str
    callers: str

    @property
    def is_public(self) -> bool:
        """Whether others than the engine may call it."""
        return not self.name.startswith("_")


@frozen
class Column:
    """A column of a table."""

    name: str
    type: str
    required: bool
    default: str | None


@define
class Table:
    """A table, or a type of rows, as the revisions have left it."""

    name: str
    comment: str
    columns: list[Column] = field(factory=list)

    #: Their definitions by their names.
    constraints: dict[str, str] = field(factory=dict)
    indexes: dict[str, str] = field(factory=dict)


def read_functions(folder: Path = _ALEMBIC / "functions") -> list[Function]:
    """Return the functions by name."""
    return [_function(path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.sql"))]


def read_tables(versions: Path = _ALEMBIC / "versions") -> list[Table]:
    """Return the tables in the order of their creation, after all that the revisions did to them."""
    tables: dict[str, Table] = {}
    for path in sorted([*versions.glob("*/tables.sql"), *versions.glob("*/index.sql")]):
        for statement in _STATEMENT.finditer(path.read_text(encoding="utf-8")):
            _apply(statement["text"], statement["rest"].strip(), _prose(statement["comment"]), tables)
    return list(tables.values())


def _function(name: str, text: str) -> Function:
    header = text[: text.index("create or replace function")]
    found = re.search(r"^create or replace function (.*?)\s+language ", text, flags=re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{name}.sql creates no function")
    sentences = _SENTENCE.split(_prose(header))
    locks = [each for each in sentences if each.startswith("Locks")]
    callers = [each for each in sentences if each.startswith("Called")]
    purpose = [each for each in sentences if each not in (*locks, *callers)]
    return Function(name, found[1], " ".join(purpose), " ".join(locks), " ".join(callers))


def _prose(comment: str) -> str:
    """Return the text of a comment as one line."""
    return " ".join(line.removeprefix("--").strip() for line in comment.strip().splitlines())


def _apply(kind: str, rest: str, comment: str, tables: dict[str, Table]) -> None:
    if kind.endswith("index"):
        found = re.fullmatch(r"(?:if not exists )?(\w+) on pgflow\.(\w+) (.*)", rest, flags=re.DOTALL)
        if found is not None:
            unique = "unique " if "unique" in kind else ""
            tables[found[2]].indexes[found[1]] = unique + _in_one_line(found[3])
        return
    name, _, definition = rest.removeprefix("pgflow.").partition(" ")
    if kind == "alter table":
        _alter(tables[name], definition)
        return
    tables[name] = Table(name, comment)
    # What follows the parenthesis at the margin is options of the storage.
    body = definition[definition.index("(") + 1 : definition.index("\n)")]
    for item in _split(body):
        _add(tables[name], item)


def _alter(table: Table, change: str) -> None:
    verb, _, rest = change.partition(" ")
    if verb == "add":
        _add(table, rest.removeprefix("column "))
    elif verb == "drop":
        del table.constraints[rest.removeprefix("constraint ")]


def _add(table: Table, item: str) -> None:
    text = _in_one_line(item)
    if text.startswith("constraint "):
        _, name, definition = text.split(" ", 2)
        table.constraints[name] = definition
        return
    found = _COLUMN.fullmatch(text)
    if found is None:
        raise ValueError(f"neither a column nor a constraint: {text}")
    table.columns.append(Column(found[1], found[2], found[3] is not None, found[4]))


def _split(body: str) -> list[str]:
    """Return what commas part, save those in parentheses and braces."""
    items, depth = [""], 0
    for character in body:
        depth += (character in "({") - (character in ")}")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return items


def _in_one_line(text: str) -> str:
    return " ".join(text.split())

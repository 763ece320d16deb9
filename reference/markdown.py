"""A Markdown extension: ``::: sql-functions`` and ``::: sql-tables`` stand for the SQL reference."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

from reference.sql import Function, Table, read_functions, read_tables

__all__ = ["functions_as_markdown", "makeExtension", "tables_as_markdown"]

_CODE = re.compile(
    r"(?<!\w)'(?P<quoted>[^'\s]+)'|(?P<json>[\[{]+[^{}]*(?:\{[^{}]*\}[^{}]*)*[\]}]+)"
    r"|(?P<name>(?:\b[a-z]+\.)?(?<!\w)\w*_\w+(?:\(\))?|\b[a-z]+\.[a-z]\w+)"
)


def functions_as_markdown(functions: Iterable[Function]) -> str:
    """Return the functions as two sections, those for everyone and those of the engine's own."""
    functions = list(functions)
    names = {function.name for function in functions}
    public = [function for function in functions if function.is_public]
    internal = [function for function in functions if not function.is_public]
    return "\n".join(
        [
            *_overview(public, names),
            *(line for function in public for line in _in_full(function, names)),
            "## Internal functions",
            "",
            "The engine calls these; nobody else may. They change without notice.",
            "",
            *_overview(internal, names, anchored=True),
        ]
    )


def tables_as_markdown(tables: Iterable[Table]) -> str:
    """Return the tables, a section each."""
    return "\n".join(line for table in tables for line in _table(table))


def _overview(functions: list[Function], names: set[str], *, anchored: bool = False) -> Iterator[str]:
    yield from ("| Function | |", "|---|---|")
    for function in functions:
        name = f"[`{function.name}`](#{function.name})"
        text = re.split(r"(?<=\.) ", function.purpose, maxsplit=1)[0]
        if anchored:
            name = f'<span id="{function.name}">`{function.name}`</span>'
            text = " ".join(filter(None, [function.purpose, function.locks, function.callers]))
        yield f"| {name} | {_prose(text, names - {function.name})} |"
    yield ""


def _in_full(function: Function, names: set[str]) -> Iterator[str]:
    others = names - {function.name}
    schema = "" if "." in function.name else "pgflow."
    yield from (f"## `{schema}{function.name}` {{ #{function.name} }}", "")
    yield from ("```sql", function.signature, "```", "")
    yield from (_prose(function.purpose, others), "")
    if function.locks:
        yield from (f"**{_labelled(_prose(function.locks, others))}", "")
    if function.callers:
        yield from (f"**{_labelled(_prose(function.callers, others))}", "")


def _labelled(sentence: str) -> str:
    """Return what follows an opening of bold text, which ends after the sentence's first word."""
    word, _, rest = sentence.partition(" ")
    return f"{word}** {rest}"


def _table(table: Table) -> Iterator[str]:
    yield from (f"## `pgflow.{table.name}` {{ #{table.name} }}", "")
    if table.comment:
        yield from (_prose(table.comment, set()), "")
    yield from ("| Column | Type | Null | Default |", "|---|---|---|---|")
    for column in table.columns:
        null = "" if column.required else "yes"
        yield f"| `{column.name}` | `{column.type}` | {null} | {_code(column.default)} |"
    yield ""
    rules = {**table.constraints, **table.indexes}
    if rules:
        yield from ("| Constraint or index | |", "|---|---|")
        for name, definition in rules.items():
            yield f"| `{name}` | {_code(definition)} |"
        yield ""


def _code(text: str | None) -> str:
    return f"`{text}`".replace("|", r"\|") if text else ""


def _prose(text: str, linked: set[str]) -> str:
    """Return a comment's prose as Markdown: names and values as code, functions as links."""

    def shown(found: re.Match[str]) -> str:
        name = found[0].strip("'")
        target = name.removesuffix("()")
        return f"[`{name}`](#{target})" if target in linked else f"`{name}`"

    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts += [html.escape(text[end : found.start()], quote=False), shown(found)]
        end = found.end()
    return "".join([*parts, html.escape(text[end:], quote=False)])


class _References(Preprocessor):
    """Puts the reference in the place of the line that stands for it."""

    def run(self, lines: list[str]) -> list[str]:
        out: list[str] = []
        for line in lines:
            if line == "::: sql-functions":
                out += functions_as_markdown(read_functions()).splitlines()
            elif line == "::: sql-tables":
                out += tables_as_markdown(read_tables()).splitlines()
            else:
                out.append(line)
        return out


class _SqlReference(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        # Before fences are taken out of the text.
        md.preprocessors.register(_References(md), "sql-reference", 50)


def makeExtension(**options: Any) -> Extension:  # noqa: N802
    """Return the extension, as Markdown asks for it."""
    return _SqlReference(**options)

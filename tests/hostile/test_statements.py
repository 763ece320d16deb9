"""No statement is made by pasting text: read from the source, so that it holds for what no test happens to run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgflow
from pgflow.engine import statements
from pgflow.migrations import script_location

PACKAGE = Path(pgflow.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "_alembic" not in path.parts)
FUNCTIONS = sorted((script_location() / "functions").glob("*.sql"))

#: What sends a statement, of psycopg's, SQLAlchemy's, Django's and Alembic's.
SENDERS = {"execute", "executemany", "exec_driver_sql", "copy", "stream"}

#: Statements that are handed through, by the function that sends them, and who has made sure of their text.
HANDED_ON = {
    "engine/borrowed.py: _Psycopg.fetch": "the constants of statements.py, by EngineCalls",
    "engine/borrowed.py: _SQLAlchemy.fetch": "likewise",
    "engine/borrowed.py: _Django.fetch": "likewise",
    "connector.py: PsycopgConnector._fetch": "likewise",
    "connector.py: PsycopgConnector._fetch_all": "likewise",
    "listener/session.py: ListenSession._rows": "likewise, by the three methods above it",
    "listener/session.py: ListenSession.change": "statements.listen and unlisten, which quote: see the test of them",
    "inspection/selecting.py: select": "the constants of inspection/statements.py",
    "inspection/health.py: _value": "the constants of inspection/health_statements.py",
    "inspection/health.py: _pgmq": "schema/pgmq.py: a constant list of signatures",
    "migrations.py: _execute": "the files of alembic/, and names of functions that revisions spell out",
    "contrib/django/management/command.py: PgflowCommand.execute": "no statement: Django's own name for a command",
}

#: Where text becomes a statement or a part of one.
MADE = {
    "dsl/compile.py": "what defines a flow, for a person or a migration: its literals are fuzzed in test_slugs.py",
    "cli/compile.py": "the same beside delete_flow, of a slug that is one",
    "engine/statements.py": "constants that are made of constants, and listen and unlisten",
    "inspection/health.py": "advice to a person, never sent",
    "migrations.py": "drop function, with the names that a revision spells out",
}


def sends(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The calls that send a statement, by file and function."""

    def walk(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            is_named = isinstance(child, ast.ClassDef | ast.FunctionDef)
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in SENDERS:
                yield f"{path.relative_to(PACKAGE)}: {'.'.join(names)}", child
            yield from walk(child, (*names, child.name) if is_named else names)  # type: ignore[attr-defined]

    return walk(ast.parse(path.read_text(encoding="utf-8")), ())


def is_fixed(statement: ast.expr) -> bool:
    """Whether a statement is a literal, a constant by its name, or psycopg's SQL of literals and identifiers."""
    match statement:
        case ast.Constant(value=str()):
            return True
        case ast.Attribute(value=ast.Name(), attr=name) | ast.Name(id=name):
            return name.isupper()
        case ast.Call(func=ast.Attribute(value=text, attr="encode"), args=[]):
            return is_fixed(text)
        case ast.Call(func=ast.Attribute(value=text, attr="format"), args=parts, keywords=[]):
            return is_sql(text) and all(map(is_identifier, parts))
    return False


def is_sql(text: ast.expr) -> bool:
    return isinstance(text, ast.Call) and name_of(text.func) == "SQL" and all(map(is_fixed, text.args))


def is_identifier(part: ast.expr) -> bool:
    return isinstance(part, ast.Call) and name_of(part.func) in ("Identifier", "Literal", "Placeholder")


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def test_every_statement_is_fixed_or_handed_on_by_who_is_named_here() -> None:
    others = {where for path in SOURCES for where, call in sends(path) if not call.args or not is_fixed(call.args[0])}
    assert others == HANDED_ON.keys()


SQL_WORDS = re.compile(r"\b(select|insert into|update|delete from|drop|alter|create|listen|unlisten|grant)\b\s", re.I)


def test_no_text_with_sql_in_it_is_put_together_elsewhere() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if is_put_together(node) and re.match(SQL_WORDS, text_of(node).strip())
    }
    assert found <= MADE.keys()


def is_put_together(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr():
            return True
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return True
    return False


def text_of(node: ast.AST) -> str:
    """The literal text that a put-together text begins with."""
    return next(
        (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and type(each.value) is str), ""
    )


def test_the_constants_are_made_of_constants() -> None:
    tree = ast.parse(Path(statements.__file__).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign):
            parts = [each.value for each in ast.walk(node) if isinstance(each, ast.FormattedValue)]
            assert all(isinstance(part, ast.Name) and part.id.isupper() for part in parts), ast.unparse(node)


@pytest.mark.parametrize("channel", ['a"; drop table pgflow.runs; --', '""', "pgflow:run:x", "'", "\u0430\\"])
def test_a_channel_is_one_identifier(channel: str) -> None:
    for text in (statements.listen([channel]), statements.unlisten([channel])):
        verb, _, quoted = text.partition(" ")
        assert verb in ("listen", "unlisten")
        assert re.fullmatch(r'"(?:[^"]|"")*"', quoted)
        assert quoted[1:-1].replace('""', '"') == channel


def executes(path: Path) -> list[str]:
    """What follows each dynamic ``execute`` of a function, to the end of its statement."""
    text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("--"))
    return [
        text[found.end() :].partition(";\n")[0] for found in re.finditer(r"^\s*(?:return query )?execute\b", text, re.M)
    ]


def test_plpgsql_executes_only_what_format_has_quoted() -> None:
    seen = 0
    for path in FUNCTIONS:
        for statement in executes(path):
            seen += 1
            assert statement.lstrip().startswith("format("), f"{path.name}: {statement}"
            # %% is a percent sign for another format; everything else is quoted.
            marks = set(re.findall(r"%(?:\d+\$)?(.)", statement.replace("%%", "")))
            assert marks <= {"I", "L"}, f"{path.name}: {marks}"
            # Beside format's, nothing joins text but names of queues, which are quoted as a whole.
            for joined in re.findall(r"(\S+) \|\| ", statement):
                assert joined in ("'q_'", "format('pgmq.%I',"), f"{path.name}: {joined}"
    assert seen >= 15


def test_no_execute_hides_elsewhere_in_a_body() -> None:
    for path in FUNCTIONS:
        text = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        assert len(re.findall(r"\bexecute\b", text)) == len(executes(path)), path.name

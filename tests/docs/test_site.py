"""The documentation as a site: it builds, its contents list every page, and its reference leaves nothing out."""

from __future__ import annotations

import html
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from markdown import Markdown

import pgflow
from pgflow.cli import main
from pgflow.schema.tables import metadata
from reference.markdown import functions_as_markdown, tables_as_markdown
from reference.sql import read_functions, read_tables
from tests.docs.pages import DOCS
from tests.plugins import django_project

ROOT = DOCS.parent

#: What is imported by other modules of ours only; commands have a reference of their own.
INTERNAL = {"pgflow.cli", "pgflow.listener"}


class _Configuration(yaml.SafeLoader):
    """Reads mkdocs.yml, which names functions."""


_Configuration.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda loader, suffix, node: suffix)


def nav() -> Iterator[str]:
    """The pages that the contents list."""
    configuration = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=_Configuration)

    def pages(entry: Any) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        else:
            for below in entry.values() if isinstance(entry, dict) else entry:
                yield from pages(below)

    return pages(configuration["nav"])


def public_modules() -> Iterator[Any]:
    """The packages and modules that users import from."""
    django_project.set_up()
    yield pgflow
    for package in ("pgflow", "pgflow.contrib"):
        path = importlib.import_module(package).__path__
        names = (f"{package}.{module.name}" for module in pkgutil.iter_modules(path) if module.name[0] != "_")
        yield from (importlib.import_module(name) for name in names if name not in INTERNAL)


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """A command and those below it."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, info_name=name, parent=context))


def test_the_contents_list_every_page_once() -> None:
    pages = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))

    assert sorted(nav()) == pages


def test_links_and_pictures_are_there() -> None:
    """What the build passes over: pictures, and links that leave the folder, which the site does not have."""
    for page in DOCS.rglob("*.md"):
        prose = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)#\s]+)", prose):
            if not link.startswith("https://"):
                target = (page.parent / link).resolve()
                assert target.is_file(), f"{page.name} links to {link}"
                assert target.is_relative_to(DOCS), f"{page.name} links to {link}, which is not part of the site"


def test_the_site_builds_without_a_warning_and_documents_every_public_name(tmp_path: Path) -> None:
    for name in ("mkdocs.yml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs")
    for name in ("alembic", "pgflow", "reference"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "No issues found\n"

    found = set()
    for page in (tmp_path / "site" / "reference" / "python").glob("*.html"):
        found.update(re.findall(r'id="(pgflow\.[\w.]+)"', page.read_text(encoding="utf-8")))
    modules = list(public_modules())

    def is_described(module: Any, name: str) -> bool:
        """Whether it is there by one of the names that it can be imported by."""
        thing = getattr(module, name)
        paths = {f"{each.__name__}.{name}" for each in modules if getattr(each, name, None) is thing}
        return not found.isdisjoint({*paths, f"{getattr(thing, '__module__', '')}.{name}"})

    missing = [
        f"{module.__name__}.{name}" for module in modules for name in module.__all__ if not is_described(module, name)
    ]
    assert missing == []


def test_every_sql_function_and_table_is_described() -> None:
    functions = functions_as_markdown(read_functions())
    names = [path.stem for path in (ROOT / "alembic" / "functions").glob("*.sql")]

    assert [name for name in names if name[0] != "_" and f"{{ #{name} }}" not in functions] == []
    assert [name for name in names if name[0] == "_" and f'id="{name}"' not in functions] == []
    tables = tables_as_markdown(read_tables())
    assert [name for name in metadata.tables if f"`{name}`" not in tables] == []


def test_the_tables_of_the_reference_are_those_of_the_schema() -> None:
    read = {f"pgflow.{table.name}": table for table in read_tables()}
    for name, table in metadata.tables.items():
        assert [(column.name, column.required) for column in read[name].columns] == [
            (column.name, not column.nullable) for column in table.columns
        ]
        rules = {rule.name for rule in table.constraints} | {index.name for index in table.indexes}
        # The constraints of SQLAlchemy's that have no name are primary keys.
        assert rules - {None} <= {*read[name].constraints, *read[name].indexes}


def test_a_function_is_described_by_the_comment_above_it(tmp_path: Path) -> None:
    (tmp_path / "stop_run.sql").write_text(
        "-- Stop a run, as _stop does;\n-- say 'why'. Locks: the run. Called by clients.\n"
        "create or replace function pgflow.stop_run(run_id uuid) returns void\nlanguage sql\nas $$ $$;\n",
        encoding="utf-8",
    )
    (function,) = read_functions(tmp_path)

    assert function.signature == "pgflow.stop_run(run_id uuid) returns void"
    assert function.purpose == "Stop a run, as _stop does; say 'why'."
    assert (function.locks, function.callers) == ("Locks: the run.", "Called by clients.")
    assert "Stop a run, as `_stop` does; say `why`." in functions_as_markdown([function])


def test_every_command_and_option_is_described() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = re.split(r"<h\d[^>]*>", Markdown(extensions=["attr_list", "mkdocs-click"]).convert(page))
    described = dict(html.unescape(section).split("</h", 1) for section in sections[1:])

    found = list(commands(main, click.Context(main, info_name="pgflow")))
    assert len(found) > len(main.list_commands(found[0][1]))
    for command, context in found:
        options = [name for option in command.get_params(context) for name in option.opts if name.startswith("-")]
        assert [name for name in options if f" {name}" not in described[context.command_path]] == []

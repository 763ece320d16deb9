"""``pgflow compile``: SQL that defines flows, by itself or as a revision of somebody's Alembic project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result

from pgflow import FlowClient
from pgflow.cli import main
from pgflow.cli._loading import load_flows
from tests.plugins.databases import Connection

SOURCE = """
from pgflow import Flow

first = Flow("order-letters", max_attempts=5)
second = Flow("second", base_delay=0)

@first.step
def letters(run):
    return list(run)

@first.step("one-letter", depends_on=[letters], fanout=True, timeout=7)
def one(item):
    return item

@second.step
def only(run):
    return run
"""

ENV = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file of two flows."""
    path = tmp_path / f"compiled_{uuid4().hex}.py"
    path.write_text(SOURCE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return str(path)


@pytest.fixture
def project(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An Alembic project in the current directory; its database has the schema of pgflow."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    config = Config("alembic.ini")
    with open(os.devnull, "w") as nowhere:
        config.stdout = nowhere
        command.init(config, "migrations")
    (folder / "migrations" / "env.py").write_text(ENV)
    return folder


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["compile", *arguments])


def alembic(project: Path, dsn: str) -> Config:
    where = psycopg.conninfo.conninfo_to_dict(dsn)
    url = sqlalchemy.URL.create("postgresql+psycopg", query={name: str(value) for name, value in where.items()})
    config = Config(project / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False).replace("%", "%%"))
    return config


def flows(database: Connection) -> list[Any]:
    return [slug for (slug,) in database.execute("select flow_slug from pgflow.flows order by 1")]


def test_the_statements_define_the_flows(module: str, dsn: str, database: Connection) -> None:
    result = invoke(module)

    assert (result.exit_code, result.stderr) == (0, "")
    for _ in range(2):
        database.execute(result.stdout.encode())
    assert flows(database) == ["order-letters", "second"]
    with FlowClient(dsn) as client:
        for flow in load_flows([module]):
            client.register(flow)


def test_one_flow_of_several_can_be_chosen(module: str) -> None:
    result = invoke(f"{module}:second")

    assert result.stdout.splitlines() == [
        "select pgflow.create_flow(flow_slug => 'second', max_attempts => 3, base_delay => 0, timeout => 300);",
        "select pgflow.add_step(flow_slug => 'second', step_slug => 'only', deps_slugs => array[]::text[], "
        "step_type => 'single', handler_name => 'only');",
    ]


def test_a_revision_goes_up_and_down(module: str, dsn: str, project: Path, database: Connection) -> None:
    result = invoke(module, "--alembic")

    assert result.exit_code == 0, result.output
    written = Path(result.stdout.strip())
    assert written.parent == project / "migrations" / "versions"
    assert written.read_text().startswith('"""define flow order-letters, second\n')
    assert written.name.endswith("_define_flow_order_letters_second.py")

    config = alembic(project, dsn)
    command.upgrade(config, "head")
    assert flows(database) == ["order-letters", "second"]
    with FlowClient(dsn) as client:
        for flow in load_flows([module]):
            client.register(flow)
    command.downgrade(config, "base")
    assert flows(database) == []


def test_a_second_revision_follows_the_first(module: str, project: Path) -> None:
    first = Path(invoke(f"{module}:first", "--alembic").stdout.strip())
    second = Path(invoke(f"{module}:second", "--alembic", "-m", "another").stdout.strip())

    revision = first.name.partition("_")[0]
    assert re.search(rf"^down_revision: .* = {revision!r}$", second.read_text(), flags=re.MULTILINE)
    assert second.read_text().startswith('"""another\n')


def test_a_flow_gets_one_revision_for_a_second_ones_downgrade_would_delete_it(module: str, project: Path) -> None:
    first = Path(invoke(f"{module}:second", "--alembic").stdout.strip())
    again = invoke(module, "--alembic")

    assert again.exit_code == 1
    assert again.stderr.startswith(f"Error: revision {first.name.partition('_')[0]} defines flow second already: ")
    assert sorted((project / "migrations" / "versions").glob("*.py")) == [first]


def test_a_project_in_pyproject_toml_is_found(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "modern"
    folder.mkdir()
    monkeypatch.chdir(folder)
    subprocess.run(
        [sys.executable, "-m", "alembic", "init", "--template", "pyproject", "migrations"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (folder / "alembic.ini").unlink()

    result = invoke(module, "--alembic")

    assert result.exit_code == 0, result.output
    assert Path(result.stdout.strip()).parent == folder / "migrations" / "versions"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--alembic",), "there is no alembic.ini and no pyproject.toml here"),
        (("--alembic", "--config", "elsewhere.ini"), "there is no file elsewhere.ini"),
    ],
)
def test_no_project_is_one_line(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)

    result = invoke(module, *arguments)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert said in result.stderr


def test_a_template_without_a_place_for_it_leaves_nothing_behind(module: str, project: Path) -> None:
    template = project / "migrations" / "script.py.mako"
    template.write_text(template.read_text().replace('${upgrades if upgrades else "pass"}', "pass"))

    result = invoke(module, "--alembic")

    assert result.exit_code == 1
    assert "has no place for upgrades" in result.stderr
    assert list((project / "migrations" / "versions").glob("*.py")) == []


def test_options_of_a_revision_without_one_are_a_mistake(module: str) -> None:
    assert invoke(module, "-m", "words").exit_code == 2

"""What the files of alembic/ promise to their readers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from pgflow import migrations

ALEMBIC = migrations.script_location()
SQL_FILES = sorted(ALEMBIC.rglob("*.sql"))
FUNCTIONS = sorted((ALEMBIC / "functions").glob("*.sql"))


def relative(path: Path) -> str:
    return str(path).removeprefix(f"{ALEMBIC}/")


@pytest.fixture
def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(ALEMBIC))
    return ScriptDirectory.from_config(config)


def test_the_revisions_form_one_line(scripts: ScriptDirectory) -> None:
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert [script.revision for script in scripts.walk_revisions()] == migrations.revisions()[::-1]


def test_a_revision_is_named_like_its_file(scripts: ScriptDirectory) -> None:
    for script in scripts.walk_revisions():
        assert script.path.endswith(f"/versions/{script.revision}.py")
        assert re.fullmatch(r"\d{4}_[a-z0-9_]+", script.revision)
        assert len(script.revision) <= 32, "Alembic's version table holds no more"


def test_a_revision_has_the_tables_to_itself_before_it_does_anything(scripts: ScriptDirectory) -> None:
    for script in scripts.walk_revisions():
        functions = [
            node for node in ast.parse(Path(script.path).read_text()).body if isinstance(node, ast.FunctionDef)
        ]
        assert [(one.name, ast.unparse(one.body[0])) for one in functions] == [
            ("upgrade", "hold_tables()"),
            ("downgrade", "hold_tables()"),
        ]


def test_every_folder_of_frozen_sql_belongs_to_a_revision() -> None:
    folders = {path.name for path in (ALEMBIC / "versions").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders <= set(migrations.revisions())


@pytest.mark.parametrize("path", FUNCTIONS, ids=relative)
def test_a_file_defines_the_function_of_its_name_and_no_other(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    name = path.stem if "." in path.stem else f"pgflow.{path.stem}"
    assert re.findall(r"^create or replace function ([\w.]+)", text, re.MULTILINE) == [name]
    assert text.startswith("-- "), "a function says what it does above its definition"


@pytest.mark.parametrize("path", SQL_FILES, ids=relative)
def test_sql_holds_no_tab(path: Path) -> None:
    assert b"\t" not in path.read_bytes(), "offline scripts turn tabs into spaces"


def test_the_folder_alembic_is_no_package() -> None:
    assert not list(ALEMBIC.rglob("__init__.py")), "it would hide the library of that name"


def test_no_revision_leaves_the_transaction_of_its_host() -> None:
    for path in (ALEMBIC / "versions").glob("*.py"):
        assert "autocommit_block" not in path.read_text(encoding="utf-8")
    for path in SQL_FILES:
        assert "concurrently" not in path.read_text(encoding="utf-8").lower()

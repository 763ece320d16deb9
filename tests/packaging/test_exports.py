"""Every module says what it exports, and exports what it says."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import pgflow
from tests.plugins import django_project

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(pgflow.__path__, "pgflow.")
    if not module.name.endswith("__main__") and "._alembic" not in module.name
)

#: Too slow to import, or too rarely needed, to come with `import pgflow`.
HEAVY = ("alembic", "sqlalchemy", "pgmq", "rich", "click", "django", "flask", "distributed", "httpx", "pytest")


@pytest.fixture(autouse=True)
def project() -> None:
    """Models and what uses them can be imported in a Django project only."""
    django_project.set_up()


@pytest.mark.parametrize("name", ["pgflow", *MODULES])
def test_what_a_module_exports_exists(name: str) -> None:
    module = importlib.import_module(name)
    exported = list(module.__all__)
    assert len(exported) == len(set(exported))
    assert [one for one in exported if not hasattr(module, one)] == []


def test_the_package_shows_what_it_exports_and_the_modules_which_that_is_from() -> None:
    shown = {name for name in dir(pgflow) if not name.startswith("_")}
    assert shown - {name.split(".")[1] for name in MODULES} == set(pgflow.__all__)
    assert set(pgflow.__all__) <= shown


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pgflow' has no attribute 'Wroker'"):
        pgflow.Wroker  # noqa: B018


@pytest.mark.parametrize("name", ["pgflow", "pgflow.contrib", "pgflow.contrib.event_stream"])
def test_importing_the_package_imports_nothing_heavy(name: str) -> None:
    program = f"import {name}, sys; print(*sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()).intersection(HEAVY)) == []


def test_the_help_of_the_command_imports_only_click() -> None:
    program = "import sys; from pgflow.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()).intersection([*HEAVY, "psycopg", "attrs", "asyncio"])) == ["click"]


@pytest.mark.parametrize("name", ["errors", "models", "events", "dsl", "client", "worker"])
def test_a_module_that_its_names_are_from_comes_with_the_package(name: str) -> None:
    program = f"import pgflow; print(pgflow.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"pgflow.{name}\n"

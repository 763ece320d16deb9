"""The wheel, built from the sdist, holds all that a migration needs and works far from the sources."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pgflow import migrations

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_it_holds_the_package_and_the_revisions_and_no_package_called_alembic(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"pgflow"}
    pages = {"templates/admin/pgflow/run/page.html", "static/pgflow/admin.css"}
    assert {f"pgflow/contrib/django/{page}" for page in pages} <= names
    assert {"pgflow/py.typed", "pgflow/_alembic/env.py", "pgflow/_alembic/script.py.mako"} <= names
    versions = ROOT / "alembic" / "versions"
    expected = {f"pgflow/_alembic/versions/{path.relative_to(versions)}" for path in versions.rglob("*.sql")}
    expected |= {f"pgflow/_alembic/versions/{revision}.py" for revision in migrations.revisions()}
    assert {name for name in names if name.startswith("pgflow/_alembic/versions/")} - {
        "pgflow/_alembic/versions/SHA256SUMS"
    } == expected
    assert "pgflow/_alembic/__init__.py" not in names


def test_it_migrates_from_another_directory(wheel: Path, blank_dsn: str, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed), "PGFLOW_DSN": blank_dsn}

    def run(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    where = run("-c", "from pgflow import migrations; print(migrations.script_location())")
    assert Path(where.strip()) == installed / "pgflow" / "_alembic"
    assert migrations.head() in run("-m", "pgflow", "migrate")
    assert migrations.head() in run("-m", "pgflow", "migrate", "--status")


def test_a_checkout_uses_its_own_revisions_whatever_an_installation_left_behind() -> None:
    assert migrations.script_location() == ROOT / "alembic"

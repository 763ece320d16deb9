"""Released revisions never change: versions/SHA256SUMS lists their files, in the form of sha256sum."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pgflow import migrations

VERSIONS = migrations.script_location() / "versions"
MANIFEST = VERSIONS / "SHA256SUMS"


def released() -> list[tuple[str, str]]:
    lines = MANIFEST.read_text(encoding="utf-8").splitlines() if MANIFEST.exists() else []
    return [(digest, name) for digest, name in (line.split("  ", 1) for line in lines)]


def changed(versions: Path, manifest: list[tuple[str, str]]) -> list[str]:
    def digest(name: str) -> str | None:
        path = versions / name
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

    return [name for expected, name in manifest if digest(name) != expected]


def test_released_revisions_are_as_they_were() -> None:
    assert changed(VERSIONS, released()) == []


def test_an_edit_of_a_released_file_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "0001_x.py").write_text("a")
    manifest = [(hashlib.sha256(b"a").hexdigest(), "0001_x.py")]
    assert changed(tmp_path, manifest) == []
    (tmp_path / "0001_x.py").write_text("b")
    assert changed(tmp_path, manifest) == ["0001_x.py"]


@pytest.fixture
def freezing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("freeze", VERSIONS.parent / "freeze.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"create or replace function {path.stem} {body}")


def test_freezing_copies_what_changed_and_says_what_the_revision_needs(freezing: ModuleType, tmp_path: Path) -> None:
    for name in ("same", "edited", "gone"):
        write(tmp_path / "versions" / "0001_core" / f"{name}.sql", "old")
    write(tmp_path / "functions" / "same.sql", "old")
    write(tmp_path / "functions" / "edited.sql", "new")
    write(tmp_path / "functions" / "added.sql", "new")

    lines = "\n".join(freezing.freeze(tmp_path, "0002_next"))

    assert sorted(path.name for path in (tmp_path / "versions" / "0002_next").iterdir()) == ["added.sql", "edited.sql"]
    upgrade, downgrade = lines.split("downgrade:")
    assert "drop_functions('gone')" in upgrade
    assert 'HERE / "added.sql"' in upgrade
    assert "drop_functions('added')" in downgrade
    assert 'HERE.parent / "0001_core" / "edited.sql"' in downgrade
    assert 'HERE.parent / "0001_core" / "gone.sql"' in downgrade


def test_freezing_again_follows_the_present(freezing: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / "versions" / "0001_core" / "f.sql", "old")
    write(tmp_path / "functions" / "f.sql", "new")
    freezing.freeze(tmp_path, "0002_next")
    write(tmp_path / "functions" / "f.sql", "old")
    freezing.freeze(tmp_path, "0002_next")
    assert list((tmp_path / "versions" / "0002_next").iterdir()) == []

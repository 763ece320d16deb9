"""The README's example, as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def first_example() -> str:
    found = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_as_short_as_it_should_be() -> None:
    assert len([line for line in first_example().splitlines() if line]) <= 25


def test_the_example_prints_what_is_said_below_it(dsn: str, tmp_path: Path) -> None:
    saved_as, printed = re.findall(r"Saved as `(\S+)`, `\S+ \S+` prints\s+`([^`]+)`", README)[0]
    (tmp_path / saved_as).write_text(first_example(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, saved_as],
        env={**os.environ, "PGFLOW_DSN": dsn},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == f"{printed}\n"

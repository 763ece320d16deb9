"""The guides' Python, as printed: the blocks of a guide are one program, save those that say they are not run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy

from pgflow import Flow, Worker
from tests.plugins.databases import Connection
from tests.plugins.waiting import until

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


def program(guide: str) -> str:
    """The blocks of a guide, with the lines where they are in it."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    lines = [""] * len(text.splitlines())
    for block in re.finditer(r"^(<!-- not run.*?-->\n)?```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        if block[1] is None:
            first = text[: block.start(2)].count("\n")
            lines[first : first + block[2].count("\n")] = block[2].splitlines()
        else:
            compile(block[2], guide, "exec")
    return "\n".join(lines)


def files(guide: str) -> dict[str, str]:
    """The blocks of a guide that are files, by the name on their first line."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("program", ["on_processes.py", "on_dask.py"])
def test_executors(program: str, dsn: str, tmp_path: Path) -> None:
    for name, text in files("executors.md").items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program],
        env={**os.environ, "PGFLOW_DSN": dsn},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stdout == "{'total': 285}\n", done.stderr
    assert done.returncode == 0


def test_waiting(
    dsn: str, database: Connection, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    letters: Flow[str] = Flow("count-letters", input=str)
    orders: Flow[int] = Flow("ship-order", input=int)

    @letters.step
    def total(run: str) -> int:
        return len(run.replace(" ", ""))

    @orders.step
    def ship(run: int) -> int:
        return run

    monkeypatch.setenv("PGFLOW_DSN", dsn)
    database.execute("create table orders (id int primary key)")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect)
    names = {"dsn": dsn, "engine": engine}
    with Worker([letters, orders], dsn):
        exec(compile(program("waiting.md"), "waiting.md", "exec"), names)
        names["client"].close()  # type: ignore[attr-defined]
        until(lambda: database.execute("select from pgflow.runs where status = 'started'").rowcount == 0)
    engine.dispose()

    assert database.execute("select id from orders order by id").fetchall() == [(1,), (2,)]
    assert database.execute("select distinct status from pgflow.runs").fetchall() == [("completed",)]

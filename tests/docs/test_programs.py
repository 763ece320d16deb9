"""Guides whose Python is one program: it prints what is said in the comments behind its prints."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import Page
from tests.plugins.databases import Connection


def run(page: Page) -> None:
    """Run the page's program."""
    exec(compile(page.program(), page.path, "exec", dont_inherit=True), {"__name__": "guide"})


def promised(page: Page) -> list[str]:
    """What the comments behind prints say, line by line."""
    return re.findall(r"^ *print\(.*\)  # (.*)$", page.program(), flags=re.MULTILINE)


def is_kept(promise: str, line: str) -> bool:
    """Whether that was printed; an ellipsis stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, promise.split("…"))), line) is not None


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database of the programs."""
    monkeypatch.setenv("PGFLOW_DSN", url)


def test_fan_out(database: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page("guides/fan-out.md")
    run(page)

    printed = capsys.readouterr().out.splitlines()
    assert [is_kept(*pair) for pair in zip(promised(page), printed, strict=True)] == [True] * len(printed), printed

    (query,) = page.blocks("sql")
    failed = database.execute("select run_id from pgflow.runs where status = 'failed'").fetchone()
    assert failed is not None
    parameters = {"run_id": failed[0]}
    rows = database.execute(re.sub(r":(\w+)", r"%(\1)s", query.text).encode(), parameters).fetchall()
    assert [row[1] for row in rows] == ["completed", "failed"]


def test_retries(database: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page("guides/retries.md")
    database.execute("create table ledger (order_id int, amount float8)")
    run(page)

    assert capsys.readouterr().out.splitlines() == promised(page)
    assert database.execute("select * from ledger").fetchall() == [(7, 87.5)]

    (query,) = page.blocks("sql")
    found = re.search(r"^\| seconds to the next.*?\| (.*) \|$", page.text, flags=re.MULTILINE)
    assert found is not None
    assert [str(seconds) for _, seconds in database.execute(query.text.encode())] == found[1].split(" | ")


def test_sqlalchemy(database: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page("guides/sqlalchemy.md")
    run(page)

    *first, _, _ = capsys.readouterr().out.splitlines()
    assert first == promised(page)
    assert database.execute("select id, status from orders order by id").fetchall() == [
        (1, "confirmed"),
        (100, "new"),
        (101, "new"),
    ]

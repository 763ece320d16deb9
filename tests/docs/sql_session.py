"""SQL on a page as somebody at psql would type it, and what they then see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from tests.docs.pages import Page
from tests.plugins.databases import Connection


@frozen
class Statement:
    """A statement, and its one row as the comment below it has it: ``-- → 1, queued``."""

    text: str
    shown: str | None


def statements(page: Page) -> Iterator[Statement]:
    """The statements of a page in their order; each ends with a semicolon at the end of a line."""
    for block in page.blocks("sql"):
        for text, shown in re.findall(r"(.+?);\n(?:-- → ([^\n]*)\n)?", block.text, flags=re.DOTALL):
            yield Statement(text.strip(), shown or None)


def play(page: Page, connection: Connection) -> None:
    """Run a page's statements; what one shows has to be what comes."""
    for statement in statements(page):
        cursor = connection.execute(statement.text.encode())
        if statement.shown is not None:
            rows = [", ".join(map(_text, row)) for row in cursor.fetchall()]
            assert rows == [statement.shown], statement.text


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)

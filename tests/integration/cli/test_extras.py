"""What is said where an extra is missing: which one, and not where in the code that was found."""

from __future__ import annotations

import sys

import pytest

from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import Engine


@pytest.mark.parametrize("command", ["runs", "show", "flows", "workers", "top", "watch"])
def test_what_is_shown_with_rich_says_so_in_one_line(
    command: str, pgflow: Pgflow, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.define({"a": []})
    run_id = str(engine.start())
    for name in {"rich", "rich.console", "rich.table", "rich.text", "rich.live", *sys.modules}:
        if name.partition(".")[0] == "rich":
            monkeypatch.setitem(sys.modules, name, None)

    said = pgflow.output(command, *([run_id] if command in ("show", "watch") else []), status=1)

    assert said == "Error: this is shown with rich, which is not installed: pip install 'pgflow-sdk[cli]'\n"

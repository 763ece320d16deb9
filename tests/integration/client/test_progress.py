"""Waiting with progress shown."""

from __future__ import annotations

import builtins
from typing import Any

import psycopg
import pytest

from pgflow import FlowClient, WaitTimeoutError
from pgflow.client.progress import follow, progress_of
from pgflow.errors import ExtraMissingError
from pgflow.graph.progress import Progress, open_view
from tests.plugins.engine import Engine, fanout


def test_progress_is_told_on_standard_error(
    client: FlowClient, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.define({"list": [], "each": fanout("list")})
    run = client.start("flow")
    engine.work({"list": [1, 2, 3], "each": 0})

    assert run.wait(timeout=10, progress=True) is run
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.partition(",")[0] for line in shown.err.splitlines()][2] == "✓ each  3 of 3 tasks"
    assert shown.err.splitlines()[-1].startswith("✓ completed after ")


def test_a_failure_is_shown_and_not_raised(
    client: FlowClient, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.define({"only": []}, max_attempts=1)
    run = client.start("flow")
    engine.fail(engine.poll(1)[0], "it broke")

    assert run.wait(timeout=10, progress=True).status == "failed"
    assert capsys.readouterr().err.splitlines()[-1].endswith(": it broke")


def test_a_look_that_fails_ends_no_waiting(
    client: FlowClient, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.define({"only": []})
    run = client.start("flow")
    read = progress_of(run)
    looks = 0

    def read_after_an_outage() -> Progress:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise psycopg.OperationalError("the server is away")
        engine.work({"only": 1})
        return read()

    follow(run, open_view(), read_after_an_outage, timeout=10)

    assert capsys.readouterr().out.splitlines()[-1].startswith("✓ completed after ")


def test_the_timeout_holds(client: FlowClient, engine: Engine) -> None:
    engine.define({"only": []})
    run = client.start("flow")

    with pytest.raises(WaitTimeoutError, match=r"did not come within 0\.2 seconds"):
        run.wait(timeout=0.2, progress=True)


def test_without_rich_it_says_what_to_install(
    client: FlowClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_rich(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return real(name, *rest)

    engine.define({"only": []})
    run = client.start("flow")
    monkeypatch.setattr(builtins, "__import__", without_rich)

    with pytest.raises(ExtraMissingError, match=r"pip install 'pgflow-sdk\[cli\]'"):
        run.wait(timeout=10, progress=True)

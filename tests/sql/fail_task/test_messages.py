from __future__ import annotations

import pytest

from tests.plugins.engine import Engine, both_paths


@both_paths
@pytest.mark.parametrize("message", ["", " ", "50% of %s {}", "line 1\nline 2", "\u20ac\U0001f600", "x" * 10_000])
def test_an_error_message_is_kept_as_it_is(engine: Engine, message: str) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    assert engine.fail(engine.poll_one(), message)["error_message"] == message
    assert engine.run(run)["error_message"] == message


@both_paths
@pytest.mark.parametrize("character", ["x", "\u00e9", "\u20ac"])
def test_one_of_megabytes_is_cut(engine: Engine, character: str) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    task = engine.fail(engine.poll_one(), character * 3_000_000, traceback=character * 3_000_000)
    assert task["error_message"] == character * 10_000
    assert task["traceback"] == character * 20_000
    assert engine.step(run, "a")["error_message"] == engine.run(run)["error_message"] == character * 10_000


@both_paths
def test_one_that_is_missing_is_empty(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    engine.fail(engine.poll_one(), None)
    assert engine.run(run)["error_message"] == ""

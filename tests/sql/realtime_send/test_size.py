"""A notification stays under 8,000 bytes in the server's encoding; what is larger is cut, and never an error."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine
from tests.plugins.listening import Ear, Event

LARGEST = 7_999
CHARACTERS = ["x", "\u00e9", "\u20ac", "\U0001f600", '"', "\\", "\n", "\x01"]


def text(character: str, size: int, *, beside: str) -> str:
    """A text of one character that with what is beside it makes a JSON of `size` bytes; a filler takes up the rest."""
    room = size - len(beside.encode())
    width = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    return "x" * (room % width) + character * (room // width)


def sent(engine: Engine, ear: Ear, key: str, value: str) -> Event:
    """The event that arrives of one with a value."""
    run_id = uuid4()
    ear.listen_to(run_id)
    payload = Jsonb({"run_id": "r", key: value})
    engine.do("select realtime.send(%s, 'e', %s, false)", payload, f"pgflow:run:{run_id}")
    (event,) = ear.events(run_id)
    return event


@pytest.mark.parametrize("key", ["input", "output"])
def test_the_limit_is_counted_in_bytes(committed: Engine, ear: Ear, key: str) -> None:
    empty = json.dumps({"event": "e", "payload": {key: "", "run_id": "r"}})
    for character in CHARACTERS:
        for size in (LARGEST - 1, LARGEST):
            value = text(character, size, beside=empty)
            event = sent(committed, ear, key, value)
            assert (event.payload, event.truncated, event.size) == ({"run_id": "r", key: value}, False, size)

        event = sent(committed, ear, key, text(character, LARGEST + 1, beside=empty))
        assert (event.payload, event.truncated) == ({"run_id": "r"}, True)


def test_an_error_message_is_cut_and_not_left_out(committed: Engine, ear: Ear) -> None:
    empty = json.dumps({"event": "e", "payload": {"run_id": "r", "error_message": ""}})
    for character in CHARACTERS:
        value = text(character, LARGEST, beside=empty)
        assert sent(committed, ear, "error_message", value).payload["error_message"] == value

        value = text(character, LARGEST + 1, beside=empty)
        event = sent(committed, ear, "error_message", value)
        assert event.truncated
        assert event.payload == {"run_id": "r", "error_message": value[:1000]}
        assert event.size <= LARGEST


@pytest.mark.parametrize("size", [8_000, 100_000, 5_000_000])
def test_a_run_whose_values_are_too_large_works_all_the_same(committed: Engine, ear: Ear, size: int) -> None:
    committed.define({"a": []})
    run_id = uuid4()
    ear.listen_to(run_id)
    committed.start("x" * size, run_id=run_id)
    committed.work({"a": "\u20ac" * size})

    events = ear.events(run_id)

    assert [(event.name, event.truncated) for event in events] == [
        ("run:started", True),
        ("a:started", False),
        ("a:completed", True),
        ("run:completed", True),
    ]
    assert [sorted(event.payload) for event in events] == [
        ["flow_slug", "remaining_steps", "run_id", "started_at"],
        ["run_id", "started_at", "step_slug"],
        ["completed_at", "run_id", "step_slug"],
        ["completed_at", "run_id"],
    ]
    assert committed.run(run_id)["output"] == {"a": "\u20ac" * size}


def test_a_failure_that_is_too_long_is_told_in_part(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []}, max_attempts=1)
    run = committed.start()
    ear.listen_to(run)
    committed.fail(committed.poll_one(), "\x01" * 1_000_000)

    step, over = ear.events(run)

    assert (step.name, over.name) == ("a:failed", "run:failed")
    for event in (step, over):
        assert event.truncated
        assert event.payload["error_message"] == "\x01" * 1_000
        assert event.payload["failed_at"]


def test_an_event_that_fits_has_no_mark(committed: Engine, ear: Ear) -> None:
    run_id = uuid4()
    ear.listen_to(run_id)
    committed.do("""select realtime.send('{"x": 1}', 'e', %s)""", f"pgflow:run:{run_id}")
    (notification,) = ear.payloads(f"pgflow:run:{run_id}")
    assert json.loads(notification) == {"event": "e", "payload": {"x": 1}}

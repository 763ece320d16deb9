"""What a browser is sent of a run that has ended, and what of it when it comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import psycopg
import pytest
from attrs import evolve

from pgflow import Flow, events
from pgflow.abc import Client
from pgflow.client import FlowClient, FlowRun
from pgflow.contrib.event_stream import event_stream
from pgflow.models import RunRow, RunSnapshot, RunStatus, StepRow, StepStatus

RUN = UUID(int=7)
START = datetime(2026, 1, 2, tzinfo=UTC)
LETTERS = "line\nbreaks\r\n, é, ☃ and \u2028"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def step(slug: str, began: float, ended: float, **changes: Any) -> StepRow:
    completed = StepRow(
        RUN, slug, StepStatus.COMPLETED, 1, 0, 0, slug, None, at(0), at(began), at(ended), None
    )  # fmt: skip
    return evolve(completed, **changes)


def snapshot(*steps: StepRow, **changes: Any) -> RunSnapshot:
    row = RunRow(RUN, "flow", RunStatus.COMPLETED, {"text": LETTERS}, {"c": "c"}, None, 0, at(0), at(9), None)
    return RunSnapshot(evolve(row, **changes), steps)


#: Two steps at a time, and one after them.
COMPLETED = snapshot(step("a", 0, 1), step("b", 0, 2), step("c", 2, 9))
#: The same as a process might see it that hears of `b` before `a`.
OTHER_ORDER = snapshot(step("a", 0, 2), step("b", 0, 1), step("c", 2, 9))
FAILED = snapshot(
    step("a", 0, 1),
    step("b", 0, 2, status=StepStatus.FAILED, output=None, error_message="no", completed_at=None, failed_at=at(2)),
    step("c", 0, 0, status=StepStatus.CANCELLED, output=None, started_at=None, completed_at=None),
    status=RunStatus.FAILED,
    output=None,
    error_message="no",
    completed_at=None,
    failed_at=at(2),
)


def run_of(seen: RunSnapshot) -> FlowRun:
    connector = Mock(spec=Client)
    connector.get_run_with_states.return_value = seen
    return FlowClient(connector=connector).get_run(RUN)


def frames(seen: RunSnapshot, last_event_id: str | None = None) -> list[dict[str, str]]:
    """The frames of an ended run as a browser takes them apart, comments left out."""
    found = []
    for text in event_stream(run_of(seen), last_event_id=last_event_id):
        assert text.endswith("\n\n")
        assert "\n\n" not in text[:-2]
        if not text.startswith(":"):
            found.append(dict(line.split(": ", 1) for line in text[:-2].split("\n")))
    return found


def names(found: list[dict[str, str]]) -> list[str]:
    return [frame["event"] for frame in found]


def keys(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(frame["event"], json.loads(frame["data"]).get("step_slug", "")) for frame in found]


def test_the_first_frame_goes_out_before_anything_is_read() -> None:
    run = Mock(spec=FlowRun)

    assert next(event_stream(run)) == ": connected\n\n"
    assert run.mock_calls == []


@pytest.mark.parametrize("pace", [{"heartbeat": 0}, {"heartbeat": float("nan")}, {"progress": -1}], ids=str)
def test_a_pace_that_would_leave_no_rest_is_refused_at_once(pace: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        event_stream(Mock(spec=FlowRun), **pace)  # type: ignore[arg-type]


@pytest.mark.parametrize("seen", [COMPLETED, FAILED], ids=["completed", "failed"])
def test_the_data_of_an_event_are_its_payload(seen: RunSnapshot) -> None:
    for frame in frames(seen)[:-1]:
        payload = "".join(word.title() for word in frame["event"].split(":")) + "Payload"
        assert json.loads(frame["data"]).keys() == getattr(events, payload).__annotations__.keys()


def test_a_run_is_told_from_its_start_to_its_end_and_the_stream_says_that_this_was_all() -> None:
    assert keys(frames(COMPLETED)) == [
        ("run:started", ""),
        ("step:started", "a"),
        ("step:started", "b"),
        ("step:completed", "a"),
        ("step:completed", "b"),
        ("step:started", "c"),
        ("step:completed", "c"),
        ("run:completed", ""),
        ("end", ""),
    ]
    assert names(frames(FAILED))[-3:] == ["step:failed", "run:failed", "end"]


def test_values_and_times_come_as_they_are() -> None:
    first, *_, last, _ = frames(COMPLETED)
    assert json.loads(first["data"]) == {
        "run_id": str(RUN),
        "flow_slug": "flow",
        "input": {"text": LETTERS},
        "remaining_steps": 3,
        "started_at": "2026-01-02T00:00:00+00:00",
    }
    assert json.loads(last["data"])["output"] == {"c": "c"}


def test_values_are_json_though_the_run_was_started_with_a_flow_that_structures_them() -> None:
    flow: Flow[datetime] = Flow("flow", input=datetime)
    connector = Mock(spec=Client)
    seen = snapshot(input="2026-01-02T00:00:00+00:00")
    connector.start_flow.return_value = seen.run
    connector.get_run_with_states.return_value = seen
    run = FlowClient(connector=connector).start(flow, at(0))
    first = next(text for text in event_stream(run) if "run:started" in text)

    assert run.input == at(0)
    assert '"input": "2026-01-02T00:00:00+00:00"' in first


@pytest.mark.parametrize("received", range(9))
@pytest.mark.parametrize("now", [COMPLETED, OTHER_ORDER], ids=["the same order", "another order"])
def test_a_browser_that_comes_back_gets_what_it_has_not_received_whatever_the_order_is_now(
    now: RunSnapshot, received: int
) -> None:
    before = frames(COMPLETED)[:received]
    last_event_id = before[-1].get("id") if before else None
    after = frames(now, last_event_id)

    assert sorted(keys(before + after)) == sorted(keys(frames(COMPLETED)))
    assert names(after)[-1] == "end"
    assert [frame["id"] for frame in after[-2:-1]] == [frame["id"] for frame in frames(COMPLETED)[-2:-1] if after[1:]]


def test_who_has_received_everything_is_only_told_that_it_was_all() -> None:
    assert names(frames(COMPLETED, frames(COMPLETED)[-2]["id"])) == ["end"]


@pytest.mark.parametrize("nonsense", ["", " ", "x", "-1", "0x1", "1_0", "1\n", "١", "1" + "0" * 10_000, "ffff1"])  # noqa: RUF001
def test_an_id_that_is_none_counts_as_nothing_received(nonsense: str) -> None:
    assert frames(COMPLETED, nonsense) == frames(COMPLETED)


def test_a_run_that_is_gone_is_an_error_in_one_sentence() -> None:
    run = run_of(evolve(COMPLETED, run=evolve(COMPLETED.run, status=RunStatus.STARTED), steps=()))
    run._client._connector.get_run_with_states.return_value = None  # type: ignore[attr-defined]
    *_, last = event_stream(run)

    assert last == f'event: error\ndata: {{"message": "there is no run {RUN}; it was deleted"}}\n\n'


def test_what_the_server_says_of_its_connections_is_logged_and_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    run = run_of(evolve(COMPLETED, run=evolve(COMPLETED.run, status=RunStatus.STARTED)))
    run._client._connector.subscribe.side_effect = psycopg.OperationalError("host=10.1.1.1")  # type: ignore[attr-defined]
    *_, last = event_stream(run)

    assert last.startswith("event: error\n")
    assert "cannot be followed at the moment" in last
    assert "10.1.1.1" not in last
    assert "10.1.1.1" in caplog.text

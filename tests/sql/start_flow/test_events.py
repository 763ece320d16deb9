from __future__ import annotations

from uuid import uuid4

import pytest

from tests.plugins.engine import Engine
from tests.plugins.listening import Ear


def test_the_run_starts_and_then_its_roots_in_order(committed: Engine, ear: Ear) -> None:
    committed.define({"z": [], "a": [], "m": ["a"]})
    run_id = uuid4()
    ear.listen_to(run_id)
    committed.start({"x": 1}, run_id=run_id)

    run, *roots = ear.events(run_id)

    assert run.name == "run:started"
    assert run.payload == {
        "run_id": str(run_id),
        "flow_slug": "flow",
        "input": {"x": 1},
        "remaining_steps": 3,
        "started_at": committed.value("select to_jsonb(started_at) from pgflow.runs"),
    }
    assert [root.name for root in roots] == ["z:started", "a:started"]
    for root, slug in zip(roots, ["z", "a"], strict=True):
        started_at = committed.value("select to_jsonb(started_at) from pgflow.step_states where step_slug = %s", slug)
        assert root.payload == {"run_id": str(run_id), "step_slug": slug, "started_at": started_at}


def test_a_flow_without_steps_starts_and_completes(committed: Engine, ear: Ear) -> None:
    committed.define({})
    run_id = uuid4()
    ear.listen_to(run_id)
    committed.start(run_id=run_id)
    assert ear.names(run_id) == ["run:started", "run:completed"]


def test_a_run_started_again_says_nothing(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    run_id = committed.start()
    ear.listen_to(run_id)
    committed.start(run_id=run_id)
    assert ear.names(run_id) == []


def test_a_silent_run_says_nothing(committed: Engine, ear: Ear) -> None:
    committed.define({"a": [], "b": ["a"]})
    run_id = uuid4()
    ear.listen_to(run_id)
    committed.start(run_id=run_id, watched=False)
    committed.work()
    assert committed.run(run_id)["status"] == "completed"
    assert ear.names(run_id) == []


@pytest.mark.parametrize("rolled_back", [True, False])
def test_events_come_with_the_commit_or_not_at_all(committed: Engine, ear: Ear, rolled_back: bool) -> None:
    committed.define({"a": []})
    run_id = uuid4()
    ear.listen_to(run_id)
    with committed.connection.transaction(force_rollback=rolled_back):
        committed.start(run_id=run_id)
        assert ear.names(run_id) == []
    assert ear.names(run_id) == ([] if rolled_back else ["run:started", "a:started"])

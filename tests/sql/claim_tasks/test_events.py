from __future__ import annotations

from tests.plugins.engine import Engine
from tests.plugins.listening import Ear


def test_a_claim_that_gives_a_task_up_tells_of_step_and_run(committed: Engine, ear: Ear) -> None:
    committed.define({"a": [], "b": []}, max_attempts=1)
    run = committed.start()
    ear.listen_to(run)
    committed.poll(lease=0)
    committed.poll()

    step, over = ear.events(run)

    assert step.name in {"a:failed", "b:failed"}
    assert over.name == "run:failed"
    assert step.payload["error_message"] == over.payload["error_message"]
    assert over.payload["error_message"].startswith("gave up after 1 attempts")


def test_a_claim_and_a_new_attempt_say_nothing(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    run = committed.start()
    ear.listen_to(run)
    committed.poll_one(lease=0)
    committed.poll_one()
    assert ear.names(run) == []

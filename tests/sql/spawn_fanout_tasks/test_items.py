from __future__ import annotations

from tests.plugins.engine import Engine, both_paths, fanout


@both_paths
def test_each_task_has_a_message_that_names_it(engine: Engine) -> None:
    engine.define({"a": [], "each": fanout("a")}, flow="Dashed-Flow")
    run = engine.start(flow="Dashed-Flow")
    engine.complete(engine.poll_one(flow="Dashed-Flow"), ["x", "y", "z"])
    tasks, messages = engine.tasks(run, "each"), engine.messages("Dashed-Flow")
    assert [message["message"] for message in messages] == [
        {"flow_slug": "Dashed-Flow", "run_id": str(run), "step_slug": "each", "task_index": n} for n in range(3)
    ]
    assert [task["message_id"] for task in tasks] == [message["msg_id"] for message in messages]
    assert [(task["status"], task["attempts_count"], task["token"]) for task in tasks] == [("queued", 0, 0)] * 3


@both_paths
def test_a_start_delay_hides_every_message(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a", start_delay=100)})
    engine.start()
    engine.complete(engine.poll_one(), [1, 2, 3])
    assert all(99 < message["hidden"] <= 100 for message in engine.messages())


@both_paths
def test_messages_of_single_steps_and_fanouts_share_one_sequence(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    engine.start()
    messages = [task.msg_id for task in engine.work({"a": [1, 2]})]
    assert len(set(messages)) == 4


@both_paths
def test_nested_arrays_are_items_and_not_opened(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    engine.start()
    engine.complete(engine.poll_one(), [[], [1, [2]], {"x": []}])
    assert sorted((task.input["item"] for task in engine.poll()), key=str) == [[1, [2]], [], {"x": []}]

from __future__ import annotations

from collections import Counter

import pytest

from tests.plugins.engine import Engine


@pytest.fixture(autouse=True)
def flows(engine: Engine) -> None:
    for flow in ("one", "two", "three"):
        engine.define({"a": []}, flow=flow)


def start(engine: Engine, **runs: int) -> None:
    for flow, number in runs.items():
        for _ in range(number):
            engine.start(flow=flow)


def claimed(engine: Engine, qty: int) -> dict[str, int]:
    return Counter(task.flow_slug for task in engine.poll(qty, flow=["one", "two", "three"]))


def test_a_large_queue_does_not_starve_the_others(engine: Engine) -> None:
    start(engine, one=50, two=50, three=50)
    assert claimed(engine, 9) == {"one": 3, "two": 3, "three": 3}


def test_what_one_flow_cannot_use_goes_to_the_others(engine: Engine) -> None:
    start(engine, one=50, two=1, three=50)
    share = claimed(engine, 9)
    assert share["two"] == 1
    assert min(share["one"], share["three"]) >= 3
    assert sum(share.values()) == 9


def test_one_busy_flow_may_have_it_all(engine: Engine) -> None:
    start(engine, three=20)
    assert claimed(engine, 9) == {"three": 9}


def test_nobody_gets_more_than_was_asked_for(engine: Engine) -> None:
    start(engine, one=5, two=5, three=5)
    assert sum(claimed(engine, 2).values()) == 2
    assert sum(claimed(engine, 100).values()) == 13


def test_no_flows_have_no_tasks(engine: Engine) -> None:
    start(engine, one=1)
    assert engine.poll(flow=[]) == []

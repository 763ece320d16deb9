from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine

DEFINITION = {
    "flow_slug": "flow",
    "max_attempts": 3,
    "base_delay": 1,
    "timeout": 300,
    "steps": [
        {"step_slug": "a", "step_type": "single", "deps": []},
        {"step_slug": "b", "step_type": "single", "deps": ["a"]},
    ],
}


def test_workers_that_start_together_define_the_flow_once(committed: Engine, another: Callable[..., Engine]) -> None:
    sessions = [another() for _ in range(6)]
    together = Barrier(len(sessions))

    def ensure(session: Engine) -> None:
        together.wait()
        session.call("ensure_flow", p_definition=Jsonb(DEFINITION))

    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(ensure, sessions))
    assert committed.value("select count(*) from pgflow.steps") == 2
    assert committed.value("select count(*) from pgflow.deps") == 1

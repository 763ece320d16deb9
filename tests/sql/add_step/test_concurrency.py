from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.plugins.engine import Engine


def test_sessions_that_add_steps_together_number_them_one_after_the_other(
    committed: Engine, another: Callable[..., Engine]
) -> None:
    committed.call("create_flow", flow_slug="flow")
    sessions = [another() for _ in range(4)]
    together = Barrier(len(sessions))

    def add(number: int, session: Engine) -> None:
        together.wait()
        for n in range(5):
            session.call("add_step", flow_slug="flow", step_slug=f"s{number}_{n}")

    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(add, range(len(sessions)), sessions))
    indexes = [row["step_index"] for row in committed.rows("select step_index from pgflow.steps order by 1")]
    assert indexes == list(range(20))

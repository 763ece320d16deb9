from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from tests.plugins.engine import Engine
from tests.plugins.locks import wait_until_blocked


def test_sessions_that_create_one_flow_together_all_get_it(committed: Engine, another: Callable[..., Engine]) -> None:
    sessions = [another() for _ in range(4)]
    together = Barrier(len(sessions))

    def create(session: Engine) -> object:
        together.wait()
        return session.call("create_flow", flow_slug="flow")

    with ThreadPoolExecutor(len(sessions)) as pool:
        flows = list(pool.map(create, sessions))
    assert all(flow == flows[0] for flow in flows)


def test_of_two_sessions_with_case_twins_one_is_refused(committed: Engine, another: Callable[..., Engine]) -> None:
    first = another(autocommit=False)
    first.call("create_flow", flow_slug="flow")
    second_session = another()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(second_session.call, "create_flow", flow_slug="FLOW")
        wait_until_blocked(committed, second_session)
        first.connection.commit()
        with pytest.raises(psycopg.DatabaseError, match="differs only in case"):
            second.result()

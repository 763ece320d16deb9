from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.plugins.engine import Engine
from tests.plugins.locks import wait_until_blocked

IDENTITIES: list[dict[str, Any]] = [{"run_id": uuid4()}, {"idempotency_key": "key"}]


@pytest.mark.parametrize("identity", IDENTITIES)
def test_of_two_sessions_that_start_one_run_the_second_gets_the_firsts(
    committed: Engine, another: Callable[..., Engine], identity: dict[str, Any]
) -> None:
    committed.define({"a": []})
    first, second = another(autocommit=False), another()
    started = first.start({"x": 1}, **identity)
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(second.start, {"x": 1}, **identity)
        wait_until_blocked(committed, second)
        first.connection.commit()
        assert again.result() == started
    assert len(committed.messages()) == 1


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_start_that_is_rolled_back_leaves_the_run_to_the_second(
    committed: Engine, another: Callable[..., Engine], identity: dict[str, Any]
) -> None:
    committed.define({"a": []})
    first, second = another(autocommit=False), another()
    first.start({"x": 1}, **identity)
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(second.start, {"x": 2}, **identity)
        wait_until_blocked(committed, second)
        first.connection.rollback()
        assert committed.run(again.result())["input"] == {"x": 2}


def test_with_another_input_the_second_is_told_of_the_conflict(
    committed: Engine, another: Callable[..., Engine]
) -> None:
    committed.define({"a": []})
    first, second = another(autocommit=False), another()
    first.start({"x": 1}, idempotency_key="key")
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(second.start, {"x": 2}, idempotency_key="key")
        wait_until_blocked(committed, second)
        first.connection.commit()
        with pytest.raises(psycopg.DatabaseError) as refusal:
            again.result()
    assert refusal.value.sqlstate == "PF004"


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_snapshot_that_cannot_see_the_first_run_is_to_be_retried(
    committed: Engine, another: Callable[..., Engine], identity: dict[str, Any]
) -> None:
    committed.define({"a": []})
    late = another(autocommit=False)
    late.do("set transaction isolation level repeatable read")
    assert late.value("select count(*) from pgflow.runs") == 0
    committed.start({"x": 1}, **identity)
    with pytest.raises(psycopg.errors.SerializationFailure):
        late.start({"x": 1}, **identity)

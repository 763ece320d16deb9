from __future__ import annotations

import pickle

import pytest

from pgflow.errors import PgflowError
from pgflow.worker import FailPermanently, RetryAfter


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_retry_after_refuses_what_is_no_delay(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        RetryAfter(seconds)


def test_both_come_back_whole_from_another_process() -> None:
    assert pickle.loads(pickle.dumps(RetryAfter(2.5))).seconds == 2.5
    assert pickle.loads(pickle.dumps(FailPermanently("no such customer"))).message == "no such customer"


@pytest.mark.parametrize("kind", [RetryAfter, FailPermanently])
def test_they_are_decisions_and_no_errors_of_pgflow(kind: type[Exception]) -> None:
    assert not issubclass(kind, PgflowError)

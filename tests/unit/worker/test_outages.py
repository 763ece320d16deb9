from __future__ import annotations

import logging

import psycopg
import pytest

from pgflow.errors import NotJsonError, SchemaMissingError
from pgflow.worker.outages import Health, Link, blames_data


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.NumericValueOutOfRange("a data exception"),
        psycopg.errors.CheckViolation("a broken constraint"),
        psycopg.errors.ProgramLimitExceeded("total size of jsonb array elements exceeds the maximum"),
        psycopg.errors.InternalError_("invalid memory alloc request size"),
        psycopg.DataError("refused before it was sent"),
        NotJsonError("NaN"),
    ],
)
def test_an_error_about_the_values_blames_the_data(error: Exception) -> None:
    assert blames_data(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("the connection was lost"),
        psycopg.InterfaceError("the connection is closed"),
        psycopg.errors.AdminShutdown("terminating connection"),
        psycopg.errors.CannotConnectNow("the database system is starting up"),
        psycopg.errors.TooManyConnections("sorry, too many clients already"),
        psycopg.errors.DiskFull("no space left"),
        psycopg.errors.DeadlockDetected("deadlock detected"),
        psycopg.errors.QueryCanceled("statement timeout"),
        psycopg.errors.InsufficientPrivilege("permission denied"),
        psycopg.errors.UndefinedFunction("function does not exist"),
        SchemaMissingError("migrate"),
        ConnectionResetError(),
    ],
)
def test_an_error_of_the_database_says_nothing_about_the_data(error: Exception) -> None:
    assert not blames_data(error)


def link(health: Health, part: str, jitter: float = 1.0) -> Link:
    return Link(health, part, jitter=lambda: jitter)


def test_pauses_double_up_to_a_limit() -> None:
    claiming = link(Health(), "claiming")

    pauses = [claiming.failed(OSError()) for _ in range(9)]

    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_jitter_takes_away_up_to_half() -> None:
    assert link(Health(), "claiming", jitter=0.0).failed(OSError()) == 0.05


def test_pauses_start_anew_after_an_answer() -> None:
    claiming = link(Health(), "claiming")
    claiming.failed(OSError())
    claiming.failed(OSError())
    claiming.succeeded()

    assert claiming.failed(OSError()) == 0.1


def test_an_outage_is_one_line_and_its_end_another(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    claiming, reporting = link(health, "claiming"), link(health, "reporting")

    with caplog.at_level(logging.INFO):
        for _ in range(20):
            claiming.failed(psycopg.OperationalError("gone\nand more"))
            reporting.failed(psycopg.OperationalError("gone"))
        reporting.succeeded()
        claiming.succeeded()
        claiming.succeeded()

    first, last = caplog.records
    assert first.getMessage() == (
        "no answer from the database while claiming, retrying until there is one: OperationalError: gone"
    )
    assert last.getMessage().startswith("the database answers again after")


def test_a_part_waits_for_the_others_and_not_for_itself() -> None:
    health = Health()
    claiming, reporting = link(health, "claiming"), link(health, "reporting")
    claiming.failed(OSError())
    assert not claiming.must_wait

    reporting.failed(OSError())
    assert claiming.must_wait

    reporting.succeeded()
    assert not claiming.must_wait

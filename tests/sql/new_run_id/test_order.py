from __future__ import annotations

from datetime import UTC, datetime

from tests.plugins.engine import Engine


def test_it_is_a_uuid_of_version_7(engine: Engine) -> None:
    run_id = engine.value("select pgflow.new_run_id()")
    assert (run_id.version, run_id.variant) == (7, "specified in RFC 4122")


def test_it_carries_the_time_in_milliseconds(engine: Engine) -> None:
    row = engine.row("select clock_timestamp() as now, pgflow.new_run_id() as id")
    made = datetime.fromtimestamp((row["id"].int >> 80) / 1000, UTC)
    assert abs((made - row["now"]).total_seconds()) < 0.1


def test_no_two_are_the_same(engine: Engine) -> None:
    assert engine.value("select count(distinct pgflow.new_run_id()) from generate_series(1, 10000)") == 10000

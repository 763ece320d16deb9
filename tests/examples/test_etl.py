"""The ETL among the examples: a file that is right, and files that are not."""

from __future__ import annotations

import csv
import importlib
import re
from datetime import date
from pathlib import Path

import pytest

from pgflow import FailPermanently
from pgflow.testing import assert_completed, assert_failed, run_flow, run_step
from tests.plugins.databases import Connection

etl = importlib.import_module("09_etl")

DATA = Path(__file__).resolve().parents[2] / "examples" / "data" / "seattle-weather.csv"
ROW = {"date": "2012/01/01", "precipitation": "0.0", "temp_max": "12.8", "temp_min": "5.0", "wind": "4.7"}


def loaded(connection: Connection) -> int:
    return connection.execute("select from example_weather").rowcount


def with_a_row(row: str, folder: Path) -> str:
    """A file like the example's, with one more row at its end."""
    file = folder / "weather.csv"
    file.write_text(f"{DATA.read_text()}{row}\n")
    return str(file)


def test_a_row_is_read() -> None:
    assert run_step(etl.transform, deps={etl.extract: [[ROW]]}) == [[(date(2012, 1, 1), 0.0, 12.8, 5.0)]]


@pytest.mark.parametrize(
    "wrong",
    [{"date": "2012/02/30"}, {"temp_max": "warm"}, {"temp_max": "4.9"}, {"precipitation": "-1"}, {"temp_min": "nan"}],
)
def test_a_wrong_row_is_told_and_not_tried_again(wrong: dict[str, str]) -> None:
    (value,) = wrong.values()
    with pytest.raises(FailPermanently, match=re.escape(repr(value))):
        run_step(etl.transform, deps={etl.extract: [[ROW, {**ROW, **wrong}]]})


def test_all_rows_are_loaded_however_often(connection: Connection) -> None:
    with DATA.open(newline="") as lines:
        rows = len(list(csv.DictReader(lines)))
    for _ in range(2):
        run = run_flow(etl.flow, str(DATA), connection=connection)
        assert_completed(run)
        assert loaded(connection) == rows


def test_nothing_is_loaded_of_a_file_with_a_wrong_row(connection: Connection, tmp_path: Path) -> None:
    run = run_flow(etl.flow, with_a_row("2016/01/01,0.0,1.0,2.0,1.0,sun", tmp_path), connection=connection)
    assert_failed(run, etl.transform, match="2016/01/01.*there is no such weather")
    assert [attempt.number for attempt in run.attempts_at(etl.transform) if attempt.error] == [1]
    assert run.attempts_at(etl.load) == []
    assert loaded(connection) == 0


def test_a_row_that_is_cut_off_fails_for_good(connection: Connection, tmp_path: Path) -> None:
    run = run_flow(etl.flow, with_a_row("2016/01/01,0.0", tmp_path), connection=connection)
    assert_failed(run, match="str")
    assert run.attempts_at(etl.load) == []

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers.summary import table
from benchmarks.peers.system import expected, url


@pytest.mark.parametrize(
    "dsn",
    [
        "host='/run/a directory' port=5433 user=someone dbname=bench",
        "host=localhost port=5432 user=someone password='p@ss/ word' dbname=bench",
        "host=::1 dbname=bench sslmode=disable",
        "dbname=bench",
    ],
)
def test_a_connection_string_means_the_same_as_a_uri(dsn: str) -> None:
    assert conninfo_to_dict(url(dsn)) == conninfo_to_dict(dsn)


def test_a_cell_is_the_median_with_the_least_and_the_most() -> None:
    lines = [
        {"system": "ours", "setting": "as shipped", "workload": "chain", "per_second": rate, "postgres_ms": None}
        for rate in (3_000.4, 1_000.0, 2_000.0)
    ]

    row = table(lines).splitlines()[-1]

    assert row.startswith("| ours | as shipped | 2,000 (1,000\N{EN DASH}3,000) | \N{EN DASH} |")


def test_what_has_to_come_out() -> None:
    assert [expected(flow, 4) for flow in ("chain", "fanout", "single")] == [7, 0 + 1 + 2 + 3, 5]

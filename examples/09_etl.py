"""Extract, transform, load: four years of weather from a CSV file into a table, or nothing if a row is wrong.

``python examples/09_etl.py`` prints::

    2012  366 days  1226.0 mm of rain  at most 34.4 °C
    2013  365 days   828.0 mm of rain  at most 33.9 °C
    2014  365 days  1232.8 mm of rain  at most 35.6 °C
    2015  365 days  1139.2 mm of rain  at most 35.0 °C
"""

import csv
from datetime import date, datetime
from pathlib import Path

from pgflow import Context, FailPermanently, Flow, FlowClient, Worker, migrations
from pgflow.embedded import server_dsn

TABLE = """create table if not exists example_weather
           (day date primary key, rain numeric, warmest numeric, coldest numeric)"""
SUMMARY = """select extract(year from day)::int, count(*), sum(rain)::float8, max(warmest)::float8
             from example_weather group by 1 order by 1"""

Day = tuple[date, float, float, float]
flow = Flow("load-weather", input=str)


@flow.step
def extract(run: str, ctx: Context) -> list[list[dict[str, str]]]:
    """Return the rows in chunks; where they are many, return where each chunk begins: what a step returns is stored."""
    ctx.connection.execute(TABLE)
    with open(run, newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [rows[start : start + 250] for start in range(0, len(rows), 250)]


@flow.step(depends_on=[extract], fanout=True)
def transform(chunk: list[dict[str, str]]) -> list[Day]:
    """Check every row. Loading begins when all chunks have passed."""
    return [parse(row) for row in chunk]


def parse(row: dict[str, str]) -> Day:
    """Read a row; one that is wrong would be wrong again, so it is not tried again."""
    try:
        day = datetime.strptime(row["date"], "%Y/%m/%d").date()
        rain, warmest, coldest = (float(row[name]) for name in ("precipitation", "temp_max", "temp_min"))
    except ValueError as error:
        raise FailPermanently(f"{row}: {error}") from error
    if not (rain >= 0 and warmest >= coldest):
        raise FailPermanently(f"{row}: there is no such weather")
    return day, rain, warmest, coldest


@flow.step(depends_on=[transform], fanout=True)
def load(days: list[Day], ctx: Context) -> None:
    """Replace these days, in the transaction in which this task completes."""
    with ctx.connection.cursor() as cursor:
        cursor.execute("delete from example_weather where day = any(%s)", [[day for day, *_ in days]])
        with cursor.copy("copy example_weather from stdin") as copy:
            for row in days:
                copy.write_row(row)


@flow.step(depends_on=[load])
def summarize(ctx: Context) -> list[tuple[int, int, float, float]]:
    return ctx.connection.execute(SUMMARY).fetchall()


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client:
            run = client.start(flow, str(Path(__file__).with_name("data") / "seattle-weather.csv"))
            for year, days, rain, warmest in run.step(summarize).result(timeout=60):
                print(f"{year}  {days} days  {rain:6} mm of rain  at most {warmest} °C")

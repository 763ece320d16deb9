"""``pgflow runs``: lists and filters."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import Engine


def test_an_empty_database_has_no_runs(pgflow: Pgflow) -> None:
    assert pgflow.output("runs") == "no runs\n"
    assert pgflow.output("runs", "--json") == ""


def test_the_newest_come_first_and_only_so_many(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []})
    ids = [str(engine.start(number)) for number in range(3)]

    assert [run["run_id"] for run in pgflow.objects("runs", "--limit", "2", "--json")] == sorted(ids, reverse=True)[:2]


def test_a_line_says_how_far_a_run_is(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run_id = engine.start()
    engine.complete(engine.poll(1)[0])

    header, line = pgflow.output("runs").splitlines()
    assert header.split() == ["RUN", "FLOW", "STATUS", "STEPS", "STARTED", "TOOK", "ERROR"]
    assert line.startswith(f"{run_id}  flow  ▶ started    1/2  ")
    assert "\x1b" not in line


def test_a_long_error_neither_breaks_a_line_nor_steers_the_terminal(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    engine.start()
    engine.fail(engine.poll(1)[0], "broken\n\x1b[31m" + "x" * 300)

    _, line = pgflow.output("runs").splitlines()
    assert "broken \\x1b[31mxxx" in line


def test_runs_are_filtered_by_flow_status_and_age(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []})
    engine.define({"a": []}, flow="other")
    old = str(engine.start())
    engine.do("update pgflow.runs set started_at = started_at - interval '3 hours'")
    done = str(engine.start(flow="other"))
    engine.work(flow="other")

    def listed(*filters: str) -> list[str]:
        return [run["run_id"] for run in pgflow.objects("runs", "--json", *filters)]

    assert listed("--flow", "other") == listed("--status", "completed") == listed("--since", "2h") == [done]
    assert listed("--flow", "flow") == listed("--status", "started") == listed("--before", "150m") == [old]
    assert listed("--status", "failed") == []
    assert set(listed("--status", "started", "--status", "completed", "--since", "1d")) == {old, done}


@pytest.mark.parametrize("given", ["5", "soon", "-1h", "1y"])
def test_what_is_no_duration_is_refused(pgflow: Pgflow, given: str) -> None:
    assert "is no duration: write 90s, 15m, 2h, 7d or 1w" in pgflow.output("runs", "--since", given, status=2)


def test_a_database_without_a_schema_is_said_in_one_line(blank_dsn: str) -> None:
    assert "run `pgflow migrate`\n" in Pgflow(blank_dsn).output("runs", status=1)


@pytest.mark.parametrize("command", [["runs"], ["migrate", "--status"], ["start", "hello"], ["dev"]])
def test_an_empty_name_of_a_database_is_not_the_environments(pgflow: Pgflow, command: list[str]) -> None:
    assert "Invalid value for '--dsn': it is empty" in pgflow.output(*command, "--dsn", "", status=2)


def test_a_role_that_may_not_look_is_told_what_it_needs(pgflow: Pgflow, engine: Engine) -> None:
    pgflow.dsn += " options='-c role=pgflow_client'"

    assert "needs pg_read_all_data, and EXECUTE on pgflow.get_workers()\n" in pgflow.output("runs", status=1)


def test_the_newest_are_found_by_the_primary_key(engine: Engine) -> None:
    from pgflow.inspection import statements

    engine.define({"a": []})
    engine.do(
        "insert into pgflow.runs (flow_slug, input, remaining_steps)"
        " select 'flow', '1', 1 from generate_series(1, 5000)"
    )
    engine.do("analyze pgflow.runs")
    parameters = {"flow_slug": None, "statuses": None, "younger": None, "older": None, "limit": 20}
    rows = engine.connection.execute(f"explain {statements.RUNS}", parameters).fetchall()
    engine.do("delete from pgflow.runs")

    plan = "\n".join(row[0] for row in rows)
    assert "Index Scan Backward using runs_pkey" in plan
    assert "Seq Scan on runs" not in plan

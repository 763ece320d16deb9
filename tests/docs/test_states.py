"""The states as the page draws them are those that the engine goes through: no arrow too many, and none too few."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest

from pgflow.models import RunStatus, StepStatus
from tests.docs.pages import Page
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout

PAGE = Page("concepts/states.md")
TABLES = ("runs", "step_states", "step_tasks")

#: Notes each row as it is after each change of a status; a task that is started anew changes its token.
RECORDER = """
create temporary table seen (name text, before text, after text, columns jsonb);

create function pg_temp.note() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into seen values (tg_table_name, '[*]', new.status, to_jsonb(new));
  elsif new.status <> old.status or to_jsonb(new) ->> 'token' <> to_jsonb(old) ->> 'token' then
    insert into seen values (tg_table_name, old.status, new.status, to_jsonb(new));
  end if;
  return null;
end
$$;
"""


@pytest.fixture(params=["scalar", "set-based"])
def lived(connection: Connection, request: pytest.FixtureRequest) -> Engine:
    """Runs that have gone every way there is, with each change of a status in the table `seen`."""
    connection.execute(RECORDER)
    for table in TABLES:
        connection.execute(
            f"create trigger note after insert or update on pgflow.{table} "
            "for each row execute function pg_temp.note()".encode()
        )
    engine = Engine(connection, request.param)
    _complete_in_each_way(engine)
    _try_again_in_each_way(engine)
    _fail_in_each_way(engine)
    return engine


def _complete_in_each_way(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": fanout("b"), "d": ["a", "c"]}, flow="all")
    engine.define({}, flow="nothing")
    for items in ([], [1, 2]):
        engine.start(flow="all")
        engine.work({"a": items}, flow="all")
    engine.start(flow="nothing")


def _try_again_in_each_way(engine: Engine) -> None:
    engine.define({"a": []}, flow="again")
    engine.start(flow="again")
    engine.fail(engine.poll_one(flow="again"))
    engine.release(engine.poll_one(flow="again"))
    engine.poll_one(flow="again", lease=0)
    engine.complete(engine.poll_one(flow="again"))


def _fail_in_each_way(engine: Engine) -> None:
    engine.define({"a": [], "b": [], "c": [], "d": ["a"]}, flow="verdict")
    engine.start(flow="verdict")
    first, _ = engine.poll(2, flow="verdict")
    engine.fail(first, permanent=True)

    engine.define({"a": [], "b": fanout("a")}, flow="shape")
    engine.start(flow="shape")
    engine.complete(engine.poll_one(flow="shape"), {"no": "array"})

    engine.define({"a": []}, flow="lost", max_attempts=1)
    engine.start(flow="lost")
    engine.poll_one(flow="lost", lease=0)
    assert engine.poll(flow="lost") == []


def diagrams() -> dict[str, set[tuple[str, str]]]:
    """The arrows of each diagram, by the table whose rows it is about."""
    drawn = [
        set(re.findall(r"^ *(\S+) --> (\w+|\[\*\])(?:: .+)?$", block.text, flags=re.MULTILINE))
        for block in PAGE.blocks("mermaid")
    ]
    return dict(zip(TABLES, drawn, strict=True))


def test_every_arrow_is_gone_and_no_other_way(lived: Engine) -> None:
    gone: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in lived.rows("select distinct name, before, after from seen"):
        gone[row["name"]].add((row["before"], row["after"]))

    for table, arrows in diagrams().items():
        assert {arrow for arrow in arrows if arrow[1] != "[*]"} == gone[table], table


def test_a_state_is_final_if_nothing_leads_away_from_it() -> None:
    for table, arrows in diagrams().items():
        final = {state for state, after in arrows if after == "[*]"}
        assert final == {after for _, after in arrows} - {state for state, after in arrows if after != "[*]"} - {"[*]"}
        statuses: tuple[RunStatus | StepStatus, ...] = (*RunStatus,) if table == "runs" else (*StepStatus,)
        if table != "step_tasks":
            assert final == {status.value for status in statuses if status.is_terminal}


def test_the_diagrams_have_the_statuses_that_the_database_allows(connection: Connection) -> None:
    for (table, arrows), name in zip(diagrams().items(), ("run", "step", "task"), strict=True):
        ((definition,),) = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", [f"{name}_status_is_known"]
        ).fetchall()
        allowed = re.search(r"'{(.*)}'", definition)
        assert allowed is not None
        assert {after for _, after in arrows} - {"[*]"} == set(allowed[1].split(",")), table


def test_each_status_is_explained() -> None:
    sections = re.split(r"^## ", PAGE.text, flags=re.MULTILINE)[1:4]
    for section, arrows in zip(sections, diagrams().values(), strict=True):
        assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == {b for _, b in arrows} - {"[*]"}


def test_what_a_row_has(lived: Engine) -> None:
    section = PAGE.text.partition("## What a row has\n")[2].partition("\n## ")[0]
    header, _, *lines = [line for line in section.splitlines() if line.startswith("|")]
    columns = re.findall(r"`(\w+)`", header)
    said = {}
    for line in lines:
        table, status, *cells = (cell.strip(" `") for cell in line.strip("|").split("|"))
        said[table, status] = dict(zip(columns, cells, strict=True))

    found: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in lived.rows("select name, after, columns from seen"):
        found[row["name"], row["after"]].append(row["columns"])
    assert said == {
        key: {column: _filled({_is_set(row, column) for row in rows}) for column in columns}
        for key, rows in found.items()
    }


def _is_set(row: dict[str, Any], column: str) -> bool:
    # to_jsonb() shows JSON null and SQL's alike; the next test tells them apart.
    return row[column] is not None or (column == "output" and row["completed_at"] is not None)


def _filled(seen: set[bool]) -> str:
    return "either" if len(seen) > 1 else "set" if seen == {True} else "null"


def test_an_output_of_none_is_set(lived: Engine) -> None:
    for table in ("step_states", "step_tasks"):
        outputs = lived.rows(
            f"select output is null as missing, output = 'null' as null from pgflow.{table} where status = 'completed'"
        )
        assert {(row["missing"], row["null"]) for row in outputs} == {(False, True), (False, False)}


def test_the_queries_answer(lived: Engine) -> None:
    lived.define({"greet": [], "part": ["greet"]}, flow="hello")
    waiting = lived.start("you", flow="hello")
    by_status, under_way, open_tasks, failed = (lived.rows(block.text.rstrip(";\n")) for block in PAGE.blocks("sql"))

    assert {"flow_slug": "hello", "status": "started", "count": 1} in by_status
    assert [(row["run_id"], row["step_slug"], row["status"]) for row in under_way] == [
        (waiting, "greet", "started"),
        (waiting, "part", "created"),
    ]
    assert [(row["step_slug"], row["status"]) for row in open_tasks] == [("greet", "queued")]
    assert {row["error_message"] for row in failed} >= {"it broke"}

"""``run_step``: one handler, with values that went through JSON as in a run."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import sqlalchemy
from attrs import frozen
from sqlalchemy.orm import Session

from pgflow.dsl import Flow
from pgflow.errors import NotJsonError, PgflowError
from pgflow.testing import run_step
from pgflow.worker import Context, FailPermanently, RetryAfter
from tests.plugins.databases import Connection


@frozen
class Order:
    lines: tuple[int, ...]


@frozen
class Parcel:
    weight: int


flow = Flow("stepped", input=Order, timeout=60)


@flow.step
def parcels(run: Order) -> list[Parcel]:
    return [Parcel(line) for line in run.lines]


@flow.step(depends_on=[parcels], fanout=True)
def send(item: Parcel, ctx: Context) -> str:
    if item.weight > 100 and ctx.attempt == 1:
        raise RetryAfter(60)
    if item.weight < 0:
        raise FailPermanently("lighter than air")
    return f"{ctx.task_index}: {item.weight} of {sum(ctx.run_input.lines)}"


@flow.step(depends_on=[parcels, send])
def report(run: Order, deps: dict[str, Any]) -> dict[str, Any]:
    return {"lines": len(run.lines), **deps}


@flow.step(depends_on=[send, parcels])
def count(send: list[str]) -> int:
    return len(send)


@flow.step
def note(run: Any, ctx: Context) -> int:
    ctx.connection.execute("insert into notes values (1)")
    ctx.session.execute(sqlalchemy.text("insert into notes values (2)"))
    return 2


def test_a_step_gets_its_input_structured_and_returns_its_output_structured() -> None:
    assert run_step(parcels, run=Order((3, 4))) == [Parcel(3), Parcel(4)]


def test_a_fan_out_is_called_for_each_element_of_what_its_dependency_returns() -> None:
    sent = run_step(send, run=Order((3, 4)), deps={parcels: [Parcel(3), Parcel(4)]})

    assert sent == ["0: 3 of 7", "1: 4 of 7"]
    assert run_step(send, deps={parcels: []}) == []


def test_dependencies_go_by_step_or_slug_and_reach_the_handler_as_in_a_run() -> None:
    output = run_step(report, run=Order((3,)), deps={"parcels": [Parcel(3)], send: ["sent"]})

    assert output == {"lines": 1, "parcels": [{"weight": 3}], "send": ["sent"]}


def test_what_the_handler_does_not_ask_for_need_not_be_given() -> None:
    assert run_step(count, deps={send: ["a", "b"]}) == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: run_step(count), "step 'count' asks for what send returns: give it in deps="),
        (lambda: run_step(report, run=Order(()), deps={send: []}), "asks for what parcels returns"),
        (lambda: run_step(send), "asks for what parcels returns"),
        (lambda: run_step(count, deps={send: [], "nonsense": 1}), "does not depend on nonsense"),
    ],
)
def test_what_is_missing_or_too_much_is_the_tests_mistake(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: run_step(parcels, run={"lines": [1]}), "input of flow 'stepped'"),
        (lambda: run_step(parcels), "parameter 'run' of step 'parcels'"),
        (lambda: run_step(count, deps={send: [1]}), "output of step 'send'"),
    ],
)
def test_what_does_not_fit_is_found_as_in_a_run(call: Any, said: str) -> None:
    with pytest.raises(NotJsonError, match=said):
        call()


def test_a_result_that_does_not_fit_is_found_too() -> None:
    wrong = Flow("wrong")

    @wrong.step
    def number(run: Any) -> int:
        return "three"  # type: ignore[return-value]

    with pytest.raises(NotJsonError, match="output of step 'number'"):
        run_step(number)


def test_what_a_handler_raises_is_raised() -> None:
    with pytest.raises(FailPermanently, match="lighter than air"):
        run_step(send, run=Order(()), deps={parcels: [Parcel(-1)]})


def test_another_attempt_can_be_played() -> None:
    with pytest.raises(RetryAfter):
        run_step(send, run=Order((101,)), deps={parcels: [Parcel(101)]})

    assert run_step(send, run=Order((101,)), deps={parcels: [Parcel(101)]}, attempt=2) == ["0: 101 of 101"]


def test_a_transaction_of_the_handlers_is_part_of_the_tests(connection: Connection) -> None:
    connection.execute("create temporary table notes (id int)")
    before = connection.execute("show statement_timeout").fetchone()

    assert run_step(note, run=Order(()), connection=connection) == 2

    assert connection.execute("select id from notes order by id").fetchall() == [(1,), (2,)]
    assert connection.execute("show statement_timeout").fetchone() == before


def test_a_handler_that_fails_leaves_the_tests_transaction_as_it_was(connection: Connection) -> None:
    failing = Flow("failing")

    @failing.step
    def write(run: Any, ctx: Context) -> None:
        ctx.connection.execute("insert into notes values (1)")
        raise ValueError("no")

    connection.execute("create temporary table notes (id int)")
    with pytest.raises(ValueError, match="no"):
        run_step(write, connection=connection)
    assert connection.execute("select * from notes").fetchall() == []


def test_a_session_of_sqlalchemys_will_do(shared_dsn: str) -> None:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(shared_dsn), poolclass=sqlalchemy.NullPool
    )
    with Session(engine) as session:
        session.execute(sqlalchemy.text("create temporary table notes (id int)"))
        assert run_step(note, run=Order(()), connection=session) == 2
        assert session.execute(sqlalchemy.text("select count(*) from notes")).scalar_one() == 2
        session.rollback()


def test_without_a_connection_a_handler_that_wants_one_says_so() -> None:
    with pytest.raises(PgflowError, match="give run_step a connection="):
        run_step(note, run=Order(()))

"""What a run is given and what a handler returns: stored as it is, or refused before anything is stored."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings

from pgflow import Flow, FlowClient, Worker
from pgflow.engine.calls import EngineCalls
from pgflow.errors import InvalidKeyError, NotJsonError, PgflowError, RunConflictError, UnknownRunError
from pgflow.models import Completion, TaskKey
from tests.hostile.values import (
    LONE_SURROGATE,
    NUMBERS,
    ODD_TEXTS,
    TRICKS,
    UNFIT,
    anything,
    nested,
    same,
    values,
)
from tests.plugins.engine import NOBODY, Engine, Steps, fanout
from tests.plugins.waiting import DEADLINE

EXAMPLES = [*ODD_TEXTS, *TRICKS, *NUMBERS, nested(200), 1e16, 1e23, -1e300, {"e+5": ["1e+23", 1e23, '"1e+23\\"']}]

#: Steps by which a value passes everything: input, output, item, element, run output.
STEPS: Steps = {"a": [], "b": fanout("a"), "c": ["b"]}


def pass_through(connector: EngineCalls, engine: Engine) -> None:
    """Work as a handler does that returns what it is given."""
    while tasks := connector.poll_for_tasks(["flow"], qty=10, lease=30):
        for task in tasks:
            given: Any = task.input
            match task.step_slug:
                case "a":
                    output = [given["run"]]
                case "b":
                    output = given["item"]
                case _:
                    output = given["deps"]["b"][0]
            assert connector.complete_tasks([Completion(task.key, output)]) == []


def test_what_json_can_hold_comes_back_as_it_was(
    client: FlowClient, connector: EngineCalls, committed: Engine, few: settings
) -> None:
    committed.define(STEPS)

    def check(value: Any) -> None:
        run = client.start("flow", value)
        assert same(run.input, value)
        pass_through(connector, committed)
        assert same(run.refresh().output, {"c": value})
        assert same(client.get_run(run.run_id).input, value)

    for example in EXAMPLES:
        check(example)
    few(given(values)(check))()


def test_what_python_can_write_is_stored_as_it_is_or_refused(
    client: FlowClient, committed: Engine, few: settings
) -> None:
    committed.define({})

    @few
    @given(anything)
    def check(value: Any) -> None:
        try:
            run = client.start("flow", value)
        except NotJsonError as refusal:
            assert len(str(refusal)) < 1_000  # noqa: PT017
        else:
            assert same(client.get_run(run.run_id).input, value)

    check()


@pytest.mark.parametrize("name", UNFIT)
def test_what_json_cannot_hold_is_refused_and_the_session_goes_on(
    client: FlowClient, connector: EngineCalls, committed: Engine, name: str
) -> None:
    committed.define(STEPS)
    with pytest.raises(NotJsonError) as one:
        client.start("flow", UNFIT[name])
    with pytest.raises(NotJsonError) as many:
        client.start_many("flow", [1, UNFIT[name]])
    assert len(str(one.value)) < 1_000
    assert len(str(many.value)) < 1_000
    assert committed.value("select count(*) from pgflow.runs") == 0
    assert client.start("flow", "well").input == "well"


@pytest.mark.parametrize("name", UNFIT)
def test_a_handler_that_returns_it_fails_for_good_and_the_worker_goes_on(
    work: Callable[..., Worker], client: FlowClient, name: str
) -> None:
    flow = Flow("returns", base_delay=0)

    @flow.step
    def value(run: bool) -> Any:
        return UNFIT[name] if run else "well"

    work(flow, concurrency=1)
    bad, good = client.start(flow, True).wait(DEADLINE), client.start(flow, False)
    assert bad.status == "failed"
    assert str(bad.error_message).startswith("NotJsonError: output of step 'value' of flow 'returns': $")
    assert good.result(DEADLINE) == {"value": "well"}


@pytest.mark.parametrize("levels", [500, 2_000])
def test_sql_keeps_what_is_nested_deeper_than_python_writes(engine: Engine, levels: int) -> None:
    engine.define(STEPS)
    text = "[" * levels + "]" * levels
    engine.do("select pgflow.start_flow('flow', %s::jsonb)", text)
    for output in ("jsonb_build_array(input -> 'run')", "input -> 'item'", "input #> '{deps,b,0}'"):
        engine.do(
            f"select pgflow.complete_task(run_id, step_slug, task_index, {output}, token) "
            "from pgflow.claim_tasks('{flow}', 1, 30)"
        )
    assert engine.value("select output ->> 'c' = %s::jsonb::text from pgflow.runs", text)


def test_sql_refuses_what_is_nested_beyond_its_stack(engine: Engine) -> None:
    engine.define(STEPS)
    with pytest.raises(psycopg.errors.StatementTooComplex), engine.connection.transaction():
        engine.do("select pgflow.start_flow('flow', %s::jsonb)", "[" * 100_000 + "]" * 100_000)
    assert engine.value("select count(*) from pgflow.runs") == 0


def test_of_a_key_given_twice_the_last_counts_as_jsonb_says(engine: Engine) -> None:
    engine.define(STEPS)
    engine.do('select pgflow.start_flow(\'flow\', \'{"a": 1, "b": 0, "a": 2}\')')
    assert engine.poll_one().input["run"] == {"a": 2, "b": 0}


#: What plain SQL and other languages store, and Python cannot hold.
UNREADABLE = {
    "5,000 digits": "1" * 5_000,
    "beyond a float": f"1{'0' * 400}.5",
    "2,000 levels": f"{'[' * 2_000}{']' * 2_000}",
}


unreadable = pytest.mark.parametrize(
    "name",
    [
        *list(UNREADABLE)[:2],
        pytest.param(
            "2,000 levels", marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="read by later ones")
        ),
    ],
)


@unreadable
def test_what_python_cannot_read_fails_its_own_task_alone(
    work: Callable[..., Worker], client: FlowClient, committed: Engine, name: str
) -> None:
    flow = Flow("reads", base_delay=0)

    @flow.step
    def value(run: Any) -> Any:
        return run

    client.register(flow)
    committed.do("select pgflow.start_flow('reads', %s::jsonb)", UNREADABLE[name])
    others = client.start_many(flow, range(9))
    work(flow, concurrency=10)
    for number, run in enumerate(others):
        assert run.result(DEADLINE) == {"value": number}
    row = committed.row("select t.*, r.status as run_status from pgflow.step_tasks t join pgflow.runs r using (run_id) "
                        "where t.status = 'failed'")  # fmt: skip
    assert (row["run_status"], row["attempts_count"]) == ("failed", 1)
    assert row["error_message"].startswith("NotJsonError: the task's input: a stored value ")
    assert len(row["error_message"]) < 300
    assert committed.value("select bool_and(attempts_count = 1) from pgflow.step_tasks")


@unreadable
def test_what_python_cannot_read_is_an_error_for_who_asks_and_for_nobody_else(
    client: FlowClient, committed: Engine, name: str
) -> None:
    committed.define({"a": []})
    good, bad = client.start("flow", 1), client.start("flow", 2)
    started = good.events(DEADLINE), bad.events(DEADLINE)
    for events in started:
        next(events)
    committed.do(
        "select pgflow.complete_task(%s, 'a', 0, %s::jsonb) from pgflow.claim_tasks('{flow}', 9, 30) limit 1",
        bad.run_id, UNREADABLE[name],
    )  # fmt: skip
    with pytest.raises(NotJsonError, match="a stored value"):
        bad.wait(DEADLINE)
    with pytest.raises(NotJsonError, match="a stored value"):
        bad.refresh()
    with pytest.raises(NotJsonError, match="a stored value"):
        client.get_run(bad.run_id)
    committed.do("select pgflow.complete_task(%s, 'a', 0, '1')", good.run_id)
    assert good.result(DEADLINE) == {"a": 1}


@pytest.mark.parametrize("key", ["a\0b", LONE_SURROGATE, 7, b"x", ["a"]], ids=repr)
def test_a_key_that_is_no_text_is_refused(client: FlowClient, committed: Engine, key: Any) -> None:
    committed.define({})
    with pytest.raises(InvalidKeyError, match="idempotency key"):
        client.start("flow", idempotency_key=key)
    assert client.start("flow", 1).input == 1


def test_a_key_that_is_too_long_is_refused(client: FlowClient, committed: Engine) -> None:
    committed.define({})
    longest = "".join(map(chr, range(0x10000, 0x10000 + 500)))
    for key in (f"{longest}x", "x" * 50_000_000):
        with pytest.raises(InvalidKeyError, match=r"too long: [0-9]+ characters. A key has at most 500"):
            client.start("flow", idempotency_key=key)
    assert client.start("flow", idempotency_key=longest) is not None


def test_any_other_key_finds_its_run_and_no_other(client: FlowClient, committed: Engine) -> None:
    committed.define({})
    keys = [*ODD_TEXTS, "", " ", "e\u0301", "\u00e9", "\u212a", "K", "k"]
    runs = [client.start("flow", idempotency_key=key).run_id for key in keys]
    assert len(set(runs)) == len(keys)
    assert [client.start("flow", idempotency_key=key).run_id for key in keys] == runs
    with pytest.raises(RunConflictError):
        client.start("flow", 2, idempotency_key=keys[0])


@pytest.mark.parametrize(
    "run_id", ["", "x", "\0", LONE_SURROGATE, "1" * 5_000_000, 7, b"x", "'; drop table pgflow.runs; --", {}], ids=str
)  # fmt: skip
def test_what_is_no_run_id_is_refused(client: FlowClient, committed: Engine, run_id: Any) -> None:
    committed.define({})
    with pytest.raises(InvalidKeyError, match="is no run id") as refusal:
        client.start("flow", run_id=run_id)
    assert len(str(refusal.value)) < 200
    with pytest.raises(UnknownRunError, match="is no run id") as unknown:
        client.get_run(run_id)
    assert len(str(unknown.value)) < 200
    with pytest.raises(UnknownRunError):
        client.get_run(NOBODY)


@pytest.mark.parametrize("token", [-1, 0, 2**31 - 1, 2**31, -(2**63), 2**70])
def test_a_token_that_was_never_given_out_changes_nothing(
    connector: EngineCalls, committed: Engine, token: int
) -> None:
    committed.define({"a": []})
    run = committed.start()
    committed.poll()
    key = TaskKey(run, "a", 0, token)
    try:
        lost = connector.complete_tasks([Completion(key, 1)])
    except (psycopg.errors.NumericValueOutOfRange, PgflowError):
        pass
    else:
        assert lost == [key]
    assert committed.statuses(run) == {"a": "started"}


def test_a_report_that_is_larger_than_any_page(
    work: Callable[..., Worker], client: FlowClient, committed: Engine
) -> None:
    flow = Flow("raises", max_attempts=1)

    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no message for you")

    @flow.step
    def fail(run: str) -> None:
        if run == "str":
            raise HostileError
        error = ValueError("\x1b[2J\u202e" + "x" * (100 if run == "chain" else 5_000_000))
        if run == "notes":
            error.add_note("n" * 5_000_000)
        if run == "chain":
            for number in range(100):
                error = ValueError(number, error)
                error.__cause__ = error.args[1]
        raise error

    work(flow)
    for kind in ("str", "notes", "chain", "long"):
        run = client.start(flow, kind).wait(DEADLINE)
        assert run.status == "failed"
        assert 0 < len(str(run.error_message)) <= 8_000
    (longest,) = committed.rows("select max(length(traceback)) as length from pgflow.step_tasks")
    assert longest["length"] <= 20_000
    assert json.loads(json.dumps(run.error_message)) == run.error_message

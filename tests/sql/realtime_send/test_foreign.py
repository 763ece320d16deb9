"""Where the database brings a realtime.send of its own, it is called for every event, and NOTIFY goes beside it."""

from __future__ import annotations

import pytest

from tests.plugins.engine import Engine, Row, fanout
from tests.plugins.listening import Ear

FOREIGN = """
    create table public.sent (n serial, payload jsonb, event text, topic text, private boolean);
    drop function realtime.send(jsonb, text, text, boolean);
    create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
    language sql as 'insert into public.sent (payload, event, topic, private) values ($1, $2, $3, $4)';
"""


@pytest.fixture
def foreign(committed: Engine) -> Engine:
    committed.do(FOREIGN)
    return committed


def sent(engine: Engine) -> list[Row]:
    return engine.rows("select payload, event, topic, private from public.sent order by n")


def test_one_that_replaced_ours_is_foreign_though_it_kept_our_comment(committed: Engine) -> None:
    committed.define({"a": []})
    committed.do(
        FOREIGN.replace("drop function", "-- drop function").replace("create function", "create or replace function")
    )
    committed.start(watched=False)
    assert [call["event"] for call in sent(committed)] == ["run:started", "a:started"]


@pytest.mark.parametrize("watched", [True, False])
def test_it_is_called_for_every_event(foreign: Engine, ear: Ear, watched: bool) -> None:
    foreign.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = foreign.start({"x": 1}, watched=watched)
    ear.listen_to(run)
    foreign.work({"a": [1]})

    calls = sent(foreign)

    assert [call["event"] for call in calls] == [
        "run:started",
        *(f"{slug}:{what}" for slug in "abc" for what in ("started", "completed")),
        "run:completed",
    ]
    assert {(call["topic"], call["private"]) for call in calls} == {(f"pgflow:run:{run}", False)}
    assert calls[0]["payload"].keys() == {"run_id", "flow_slug", "input", "remaining_steps", "started_at"}
    assert ear.names(run) == ([call["event"] for call in calls[2:]] if watched else [])


def test_it_is_called_for_failures(foreign: Engine) -> None:
    foreign.define({"a": []}, max_attempts=1)
    foreign.start(watched=False)
    foreign.fail(foreign.poll_one(), "it broke")
    *_, step, run = sent(foreign)
    assert (step["event"], step["payload"]["error_message"]) == ("a:failed", "it broke")
    assert (run["event"], run["payload"]["error_message"]) == ("run:failed", "it broke")


def test_it_gets_what_notify_cannot_carry(foreign: Engine) -> None:
    foreign.define({"a": []})
    foreign.start(watched=False)
    foreign.work({"a": "x" * 100_000})
    assert sent(foreign)[-1]["payload"]["output"] == {"a": "x" * 100_000}


def test_it_is_looked_up_when_an_event_is_sent(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    committed.start(watched=False)
    committed.do(FOREIGN)
    committed.work()
    assert [call["event"] for call in sent(committed)] == ["a:completed", "run:completed"]


def test_ours_says_whose_it_is(engine: Engine) -> None:
    comment = "select obj_description('realtime.send(jsonb,text,text,boolean)'::regprocedure, 'pg_proc')"
    assert engine.value(comment).startswith("pgflow:")


def test_ours_is_called_like_supabases(engine: Engine) -> None:
    arguments = "select pg_get_function_arguments('realtime.send(jsonb,text,text,boolean)'::regprocedure)"
    assert engine.value(arguments) == "payload jsonb, event text, topic text, private boolean DEFAULT true"
    engine.do("select realtime.send('{}', 'event', 'topic')")

"""Runs as graphs, where they are looked at from Python."""

from __future__ import annotations

from io import StringIO

import psycopg
import pytest
from rich.console import Console

from pgflow import Flow, FlowClient
from pgflow.connector import PsycopgConnector
from tests.plugins.engine import Engine, Steps, fanout

STEPS: Steps = {"list": [], "each": fanout("list"), "sum": ["each"]}


def printed(thing: object) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(thing)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_run_is_drawn_with_the_states_of_its_steps(client: FlowClient, engine: Engine) -> None:
    engine.define(STEPS)
    run = client.start("flow")
    engine.complete(engine.poll(1)[0], [1, 2])
    engine.complete(engine.poll(1)[0], 1)
    run.refresh()

    assert "1 of 2 tasks" in run.to_mermaid()
    assert "s0 --> s1" in run.to_mermaid()
    assert 'data-step="each" data-status="started"' in run.to_svg()
    assert [step.status for step in run.graph().steps] == ["completed", "started", "created"]
    engine.work()


def test_a_notebook_and_rich_show_the_newest_state(client: FlowClient, engine: Engine) -> None:
    engine.define(STEPS)
    run = client.start("flow")
    assert 'data-step="list" data-status="started"' in run._repr_html_()
    engine.work({"list": [1], "each": 1, "sum": 1})

    assert 'data-step="sum" data-status="completed"' in run._repr_html_()
    assert str(run.run_id) in run._repr_html_()
    assert "1 of 1 task" in printed(run)


def test_a_role_that_reads_no_tables_draws_what_it_has_a_flow_of(dsn: str, engine: Engine) -> None:
    flow: Flow[None] = Flow("flow")

    @flow.step
    def only(run: None) -> int:
        return 1

    engine.define({"only": []})
    connector = PsycopgConnector(f"{dsn} options='-c role=pgflow_client'")
    client = FlowClient(connector=connector)
    run = client.start(flow)
    found = client.get_run(run.run_id)

    assert "only" in run.to_mermaid()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        found.to_mermaid()
    assert found._repr_html_() == f"<code>&lt;FlowRun {run.run_id} of flow &#x27;flow&#x27;: started&gt;</code>"
    assert printed(found).split() == repr(found).split()
    connector.close()
    engine.work()


def test_a_flow_is_drawn_without_a_database() -> None:
    flow: Flow[None] = Flow("flow")

    @flow.step
    def first(run: None) -> list[int]:
        return [1]

    @flow.step(depends_on=[first], fanout=True)
    def second(item: int) -> int:
        return item

    assert flow.to_mermaid() == 'flowchart TD\n    s0["first"]\n    s1[["second"]]\n    s0 --> s1\n'
    assert flow.to_svg() in flow._repr_html_()
    assert "after first" in printed(flow)

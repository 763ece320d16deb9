"""An application as its author would write it; gunicorn and the command ``flask`` find it by its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from pgflow import Flow, WaitTimeoutError
from pgflow.contrib.flask import Pgflow, current_client, stream_run

flow = Flow("greet", input=str, base_delay=0, max_attempts=1)
pgflow = Pgflow()


@flow.step
def words(run: str) -> list[str]:
    return run.split()


@flow.step(depends_on=[words], fanout=True)
def loud(item: str) -> str:
    return item.upper() + str(current_app.config["MARK"])


@flow.step(depends_on=[loud])
def sentence(deps: Mapping[str, Any]) -> str:
    return " ".join(deps["loud"])


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    app = Flask("greetings")
    app.config.update(MARK="!", PGFLOW_FLOWS=[flow])
    app.config.from_prefixed_env()
    app.config.update(config or {})
    pgflow.init_app(app)

    @app.post("/runs/<text>")
    def start(text: str) -> ResponseReturnValue:
        run = pgflow.client.start(flow, text)
        return jsonify(run_id=run.run_id, events=url_for("events", run_id=run.run_id)), 202

    @app.get("/runs/<run_id>/result")
    def result(run_id: str) -> ResponseReturnValue:
        run = current_client.get_run(run_id)
        try:
            return jsonify(run.result(timeout=request.args.get("timeout", 10.0, float)))
        except WaitTimeoutError:
            return jsonify(status=run.status), 202, {"Retry-After": "1"}

    @app.get("/runs/<run_id>/events")
    def events(run_id: str) -> Response:
        return stream_run(run_id, heartbeat=request.args.get("heartbeat", 15.0, float), progress=0.05)

    return app

"""A form that starts runs, and pages that wait for them and watch them: with Flask."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from pgflow import FlowRun, WaitTimeoutError
from pgflow.contrib.flask import Pgflow, current_client, stream_run
from pgflow.dsn import resolve
from pgflow.errors import UnknownRunError
from web import pages
from websites.flow import Request, flow

pgflow = Pgflow()
views = Blueprint("views", __name__)


def create_app() -> Flask:
    """Make the application; nothing is connected to before the first request that needs it."""
    app = Flask(__name__, template_folder=pages.TEMPLATES, static_folder=pages.STATIC)
    app.config.update(
        PGFLOW_DSN=os.environ.get("PGFLOW_DSN"),
        PGFLOW_FLOWS=["websites.flow:flow"],
        HEARTBEAT_SECONDS=float(os.environ.get("HEARTBEAT_SECONDS", "15")),
        WAIT_SECONDS=float(os.environ.get("WAIT_SECONDS", "10")),
    )
    pgflow.init_app(app)
    app.register_blueprint(views)
    return app


@views.get("/")
def form() -> ResponseReturnValue:
    """Show the form."""
    return render_template("form.html", urls=pages.suggested_urls())


@views.post("/")
def start() -> ResponseReturnValue:
    """Start a run and go to its page, which need not wait for anything."""
    typed = request.form.get("urls", "")
    try:
        urls = pages.read_urls(typed)
    except pages.AddressesError as exc:
        return render_template("form.html", urls=typed, problem=str(exc)), 422
    run = current_client.start(flow, Request(urls))
    return redirect(url_for("views.live", run_id=run.run_id), 303)


@views.get("/runs/<uuid:run_id>")
def live(run_id: UUID) -> ResponseReturnValue:
    """Show a run as it goes."""
    run = current_client.get_run(run_id)
    return render_template("run.html", **pages.live_page(run), links=links(run))


@views.get("/runs/<uuid:run_id>/events")
def events(run_id: UUID) -> ResponseReturnValue:
    """Stream what happens to a run."""
    run = current_client.get_run(run_id)
    return stream_run(run, heartbeat=current_app.config["HEARTBEAT_SECONDS"])


@views.get("/runs/<uuid:run_id>/retries")
def retries(run_id: UUID) -> ResponseReturnValue:
    """Show which tasks of a run did not succeed at once, with a query of the application's own."""
    run = current_client.get_run(run_id)
    with psycopg.connect(resolve(current_app.config["PGFLOW_DSN"])) as connection:
        return render_template("retries.html", **pages.retries_page(connection, run.run_id))


@views.get("/runs/<uuid:run_id>/result")
def result(run_id: UUID) -> ResponseReturnValue:
    """Wait for the result, or say where to ask again when that takes too long."""
    run = current_client.get_run(run_id)
    with suppress(WaitTimeoutError):
        run.wait(current_app.config["WAIT_SECONDS"])
    status, headers = 200, {"Vary": "Accept"}
    if not run.status.is_terminal:
        status, headers = 202, {**headers, "Location": links(run)["result"], "Retry-After": "5"}
    if request.accept_mimetypes.accept_html:
        return render_template("result.html", **pages.result_page(run), links=links(run)), status, headers
    return pages.as_json(run), status, headers


@views.app_errorhandler(UnknownRunError)
def unknown(error: UnknownRunError) -> ResponseReturnValue:
    """Answer for a run that there is not."""
    return render_template("unknown.html"), 404


@views.app_context_processor
def everywhere() -> dict[str, Any]:
    """What every page shows."""
    form_link = {"form": url_for("views.form")}
    return {"framework": "Flask", "STATIC_URL": url_for("static", filename=""), "links": form_link}


def links(run: FlowRun) -> dict[str, str]:
    """The pages of a run."""
    names = ("live", "events", "retries", "result")
    return {"form": url_for("views.form"), **{name: url_for(f"views.{name}", run_id=run.run_id) for name in names}}

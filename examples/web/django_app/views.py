"""A form that starts runs, and pages that wait for them and watch them: with Django."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from pgflow import FlowRun, WaitTimeoutError
from pgflow.contrib.django import get_client, stream_run
from pgflow.errors import UnknownRunError
from web import pages
from websites.flow import Request, flow


@require_http_methods(["GET", "HEAD", "POST"])
def form(request: HttpRequest) -> HttpResponse:
    """Show the form, or start a run and go to its page, which need not wait for anything."""
    if request.method != "POST":
        return render(request, "form.html", {"urls": pages.suggested_urls()})
    typed = request.POST.get("urls", "")
    try:
        urls = pages.read_urls(typed)
    except pages.AddressesError as exc:
        return render(request, "form.html", {"urls": typed, "problem": str(exc)}, status=422)
    run = get_client().start(flow, Request(urls))
    response = redirect("live", run.run_id)
    response.status_code = 303
    return response


def of_a_run(view: Callable[[HttpRequest, FlowRun], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Give a view the run whose id is in the address; where there is none, the answer says so."""

    @require_safe
    @wraps(view)
    def view_of_id(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        try:
            return view(request, get_client().get_run(run_id))
        except UnknownRunError:
            return render(request, "unknown.html", status=404)

    return view_of_id


@of_a_run
def live(request: HttpRequest, run: FlowRun) -> HttpResponse:
    """Show a run as it goes."""
    return render(request, "run.html", {**pages.live_page(run), "links": links(run)})


@of_a_run
def events(request: HttpRequest, run: FlowRun) -> HttpResponseBase:
    """Stream what happens to a run."""
    return stream_run(request, run, heartbeat=settings.HEARTBEAT_SECONDS)


@of_a_run
def retries(request: HttpRequest, run: FlowRun) -> HttpResponse:
    """Show which tasks of a run did not succeed at once, with a query of the application's own."""
    connection.ensure_connection()
    return render(request, "retries.html", pages.retries_page(connection.connection, run.run_id))


@of_a_run
@vary_on_headers("Accept")
def result(request: HttpRequest, run: FlowRun) -> HttpResponse:
    """Wait for the result, or say where to ask again when that takes too long."""
    with suppress(WaitTimeoutError):
        run.wait(settings.WAIT_SECONDS)
    status = 200 if run.status.is_terminal else 202
    response: HttpResponse
    if request.accepts("text/html"):
        response = render(request, "result.html", {**pages.result_page(run), "links": links(run)}, status=status)
    else:
        response = JsonResponse(pages.as_json(run), status=status)
    if status == 202:
        response["Location"] = links(run)["result"]
        response["Retry-After"] = "5"
    return response


def everywhere(request: HttpRequest) -> dict[str, Any]:
    """What every page shows."""
    return {"framework": "Django", "links": {"form": reverse("form")}}


def links(run: FlowRun) -> dict[str, str]:
    """The pages of a run."""
    names = ("live", "events", "retries", "result")
    return {"form": reverse("form"), **{name: reverse(name, args=[run.run_id]) for name in names}}

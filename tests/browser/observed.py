"""The two applications, each with one more page, ``/-/held``: what its process holds on to, as JSON."""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from pgflow.client.watch import RunWatch
from pgflow.connector import PsycopgConnector

Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def flask() -> Application:
    """The Flask application."""
    from web.flask_app.app import create_app

    return _observed(create_app())


def django() -> Application:
    """The Django application."""
    from web.django_app.wsgi import application

    return _observed(application)


def _observed(application: Application) -> Application:
    def observed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/-/held":
            return application(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(_held()).encode()]

    return observed


def _held() -> dict[str, Any]:
    everything = gc.get_objects()
    connectors = [each for each in everything if isinstance(each, PsycopgConnector)]
    sessions = [each._listener._session for each in connectors]
    watches = [each for each in everything if isinstance(each, RunWatch)]
    return {
        "pid": os.getpid(),
        "threads": len(threading.enumerate()),
        "connectors": len(connectors),
        "subscriptions": sum(len(each._listener._registry.everyone()) for each in connectors),
        "channels": sum(len(each.channels) for each in sessions if each is not None),
        "receivers": sum(len(each._changed.receivers) + len(each._receivers) for each in watches),
    }

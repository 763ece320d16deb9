"""What runs handlers in an application: each in a context of its own, as Flask runs its views.

So ``current_app`` is there, and what extensions tidy up at a context's end, such as a session of SQLAlchemy's, is
tidied up after each handler.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

from flask import Flask
from flask.cli import ScriptInfo

from pgflow.cli._serving import log_to_stderr
from pgflow.worker.handler_process import Recipe
from pgflow.worker.processes import HandlerProcesses
from pgflow.worker.threads import HandlerThreads

__all__ = ["AppProcesses", "AppThreads"]

P = ParamSpec("P")
T = TypeVar("T")


class AppThreads(HandlerThreads):
    """`HandlerThreads` for handlers of an application."""

    def __init__(self, size: int, app: Flask) -> None:
        super().__init__(size)
        self._app = app

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn(*args, **kwargs)`` and return its future."""
        return super().submit(_call_in_context, self._app, fn, *args, **kwargs)


class AppProcesses(HandlerProcesses):
    """`HandlerProcesses` for handlers of an application, which each process loads as the ``flask`` command did."""

    def __init__(self, size: int, app: ScriptInfo, log_level: str) -> None:
        recipe = Recipe(
            multiprocessing.get_context("spawn"),
            initializer=_load_app,
            initargs=(app.app_import_path, app.create_app, log_level),
        )
        super().__init__(size, recipe)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start ``fn(*args, **kwargs)`` and return its future."""
        return super().submit(_call_in_own_context, fn, *args, **kwargs)


#: The application of a process that runs handlers.
_app: Flask | None = None


def _load_app(import_path: str | None, create_app: Callable[..., Flask] | None, log_level: str) -> None:
    global _app
    log_to_stderr(log_level)
    _app = ScriptInfo(app_import_path=import_path, create_app=create_app).load_app()


def _call_in_own_context(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    if _app is None:
        raise RuntimeError("no application was loaded in this process")
    return _call_in_context(_app, fn, *args, **kwargs)


def _call_in_context(app: Flask, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    with app.app_context():
        return fn(*args, **kwargs)

"""Finding the flows that a command line names."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pgflow
from pgflow.dsl import Flow
from pgflow.errors import DefinitionError

__all__ = ["file_of", "load_flows"]


def load_flows(targets: Iterable[str | Flow[Any]]) -> list[Flow[Any]]:
    """Return the flows of ``MODULE`` (every one in it) and ``MODULE:FLOW`` (a variable or a slug), each once.

    A flow among the targets is itself. A module is named as in an import statement, the current directory included, or
    by the path of a ``.py`` file.

    :raises DefinitionError: where a target names no flow, in one sentence; the cause is kept.
    """
    found: dict[int, Flow[Any]] = {}
    for target in targets:
        for flow in [target] if isinstance(target, Flow) else _load(target):
            found[id(flow)] = flow
    return list(found.values())


def file_of(target: str) -> Path | None:
    """Return the path of the ``.py`` file that a target names, None where it names a module otherwise."""
    name, _ = _parts(target)
    return Path(name) if name.endswith(".py") else None


def _parts(target: str) -> tuple[str, str]:
    """Return what a target says of the module and of the flow in it."""
    # The path of a file may hold a colon itself, on Windows after the drive.
    name, colon, wanted = target.rpartition(":")
    return (target, "") if not colon or wanted.endswith(".py") else (name, wanted)


def _load(target: str) -> list[Flow[Any]]:
    name, wanted = _parts(target)
    if not name:
        raise DefinitionError(f"{target!r} names no module: it takes MODULE or MODULE:FLOW")
    module = _import(name)
    flows = {variable: value for variable, value in vars(module).items() if isinstance(value, Flow)}
    if not wanted:
        if not flows:
            raise DefinitionError(f"{name} has no Flow among its variables")
        return list(flows.values())
    if wanted in flows:
        return [flows[wanted]]
    named = [flow for flow in flows.values() if flow.slug == wanted]
    if not named:
        known = ", ".join(sorted({*flows, *(flow.slug for flow in flows.values())}))
        raise DefinitionError(f"{name} has no flow {wanted!r}; it has {known or 'none at all'}")
    return named[:1]


def _import(name: str) -> ModuleType:
    try:
        if name.endswith(".py"):
            return _import_file(Path(name))
        here = os.getcwd()
        if here not in sys.path:
            sys.path.insert(0, here)
        return importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
            message = f"there is no module {name!r} here or installed"
        else:
            message = f"{name} cannot be imported: {type(error).__name__}: {error}{_place(error)}"
        raise DefinitionError(message) from error


def _import_file(path: Path) -> ModuleType:
    """Import a file as the module of its name, as if Python had been started in its folder.

    Handlers that are pickled for another process are found by that name.
    """
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module(path.stem)
    if module.__file__ is None or Path(module.__file__).resolve() != path:
        raise ImportError(f"another module is called {path.stem!r} already: {module.__file__ or 'a built-in one'}")
    return module


def _place(error: Exception) -> str:
    """Say where in the imported code it went wrong; what is ours only found it."""
    ours = f"{Path(pgflow.__file__).parent}{os.sep}"
    frames = error.__traceback__
    place = ""
    while frames is not None:
        filename = frames.tb_frame.f_code.co_filename
        if filename != importlib.__file__ and not filename.startswith(("<frozen", ours)):
            place = f" ({filename}:{frames.tb_lineno})"
        frames = frames.tb_next
    return place

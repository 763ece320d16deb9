"""The flows of a project: those in the module ``flows`` of each of its applications."""

from __future__ import annotations

import importlib
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from pgflow.dsl import Flow

__all__ = ["discover_flows"]


def discover_flows() -> list[Flow[Any]]:
    """Return the flows among the variables of each installed application's ``flows``, each once, in that order.

    An application without that module has none; what goes wrong while it is imported is raised.
    """
    found: dict[int, Flow[Any]] = {}
    for application in apps.get_app_configs():
        if application.module is not None and module_has_submodule(application.module, "flows"):
            module = importlib.import_module(f"{application.name}.flows")
            found.update({id(value): value for value in vars(module).values() if isinstance(value, Flow)})
    return list(found.values())

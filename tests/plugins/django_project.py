"""The Django project of the tests. A process can load one project only, so that all tests have the same."""

from __future__ import annotations

import os
import time
from pathlib import Path

import django
from django.apps import apps

__all__ = ["MANAGE", "ROOT", "SETTINGS", "set_up"]

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "tests.integration.django.shop.settings"
MANAGE = ROOT / "tests" / "integration" / "django" / "shop" / "manage.py"


def set_up() -> None:
    """Load the project, if that was not done."""
    if apps.ready:
        return
    before = os.environ.get("TZ")
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()
    # Django makes the project's time zone that of the process, where other tests run too.
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()

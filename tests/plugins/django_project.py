"""The Django project of the tests. A process can load one project only, so that all tests have the same."""

from __future__ import annotations

import os
import time
from pathlib import Path
from unittest.mock import patch

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
    # Other tests run in this process, and start programs: neither the name of the settings nor the project's time zone,
    # which Django makes that of the process, is for them.
    with patch.dict(os.environ, DJANGO_SETTINGS_MODULE=SETTINGS):
        django.setup()
    time.tzset()

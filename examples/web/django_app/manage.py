"""Django's commands: ``python examples/web/django_app/manage.py …``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.django_app.settings")
    execute_from_command_line(sys.argv)

"""Start the Django application with all that it needs: ``python examples/web/django_app/run.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from web.launcher import launch

if __name__ == "__main__":
    manage = str(Path(__file__).with_name("manage.py"))
    sys.exit(
        launch(
            "web.django_app.wsgi:application",
            migrate=[manage, "migrate"],
            worker=[manage, "pgflow_worker", "--grace", "3"],
        )
    )

"""Start the Flask application with all that it needs: ``python examples/web/flask_app/run.py``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from web.launcher import launch

if __name__ == "__main__":
    pgflow = ["-m", "flask", "--app", "web.flask_app.app", "pgflow"]
    sys.exit(
        launch(
            "web.flask_app.app:create_app()",
            migrate=[*pgflow, "migrate"],
            worker=[*pgflow, "worker", "--grace", "3"],
        )
    )

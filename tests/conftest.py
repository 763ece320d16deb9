from __future__ import annotations

pytest_plugins = [
    "tests.plugins.server",
    "tests.plugins.databases",
    "tests.plugins.pooler",
    "tests.plugins.proof",
    "tests.plugins.reports",
]

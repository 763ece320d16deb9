"""``python -m pgflow``: the same as the command ``pgflow``."""

from __future__ import annotations

from pgflow.cli import main

if __name__ == "__main__":
    main(prog_name="pgflow")

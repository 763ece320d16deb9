"""``python -m benchmarks.peers``: the same workloads on this project and on others, in turn, on the same server.

``make bench-peers`` puts the others into a virtual environment of their own, ``.venv-peers``, and runs this. The server
is that of ``PGFLOW_DSN``, or an embedded one. In every round each system gets an empty database, worker processes, a
chain of three steps, a fan-out of 500, one-step runs one by one, and bare starts, with every setting that its module
names. A system is a module here, a class with the methods of ``system.System``; how it is driven and how its
outcome is checked is in there. Every workload prints one line of JSON; a table of medians follows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.database import new_database
from benchmarks.peers.summary import table
from benchmarks.peers.system import SYSTEMS, load
from pgflow.embedded import server_dsn

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run the rounds, print lines and table; return 1 if something went wrong, and the rest all the same."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, help="which ones (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run, in turn (%(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="how large the workloads are (%(default)s)")
    options = parser.parse_args()
    lines: list[dict[str, Any]] = []
    failed = False
    with server_dsn(".pgflow") as server:
        print(json.dumps(_about(server)), flush=True)
        for number in range(1, options.rounds + 1):
            # Whoever comes first in a round comes last in the next.
            first = (number - 1) % len(options.systems)
            for name in [*options.systems[first:], *options.systems[:first]]:
                for setting in load(name).settings:
                    head = {"system": name, "setting": setting, "round": number}
                    with new_database(server) as dsn:
                        output, ok = _measure(dsn, name, setting, options.scale)
                    for line in output:
                        lines.append({**head, **json.loads(line)})
                        print(json.dumps(lines[-1]), flush=True)
                    if not ok:
                        failed = True
                        print(json.dumps({**head, "error": "it failed, or took too long"}), flush=True)
    lines.sort(key=lambda line: SYSTEMS.index(line["system"]))
    print(f"\n{table(lines)}")
    return 1 if failed else 0


def _measure(dsn: str, name: str, setting: str, scale: float) -> tuple[list[str], bool]:
    command = [sys.executable, "-m", "benchmarks.peers.measure", name, setting, str(scale)]
    environment = {**os.environ, "BENCH_DSN": dsn}
    done = subprocess.run(command, env=environment, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    return [line for line in done.stdout.splitlines() if line.startswith("{")], done.returncode == 0


def _about(server: str) -> dict[str, object]:
    """What the figures were measured on; they mean little without durable commits."""
    with psycopg.connect(server, autocommit=True) as connection:
        settings = {}
        for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"):
            row = connection.execute("select current_setting(%s)", [name]).fetchone()
            settings[name] = row and row[0]
    return {"cores": os.cpu_count(), "load": os.getloadavg()[0], **settings}


if __name__ == "__main__":
    sys.exit(main())

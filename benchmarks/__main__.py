"""``python -m benchmarks``: measure the engine as its users have it, with workers as processes of their own.

Every workload prints one line of JSON. The server is that of ``PGFLOW_DSN``, or an embedded one; a database is made
there for the purpose, and dropped again.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from importlib import import_module

import psycopg

from benchmarks.bench import Bench
from benchmarks.database import new_database
from pgflow import FlowClient, migrations
from pgflow.embedded import server_dsn

WORKLOADS = ("floors", "chain", "fanout", "latency", "start", "growth", "workers", "bystander", "cold", "profile")


def main() -> int:
    """Run the workloads that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="how large they are (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is run, in turn (%(default)s)")
    options = parser.parse_args()
    unknown = set(options.workloads) - set(WORKLOADS)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}")
    with ExitStack() as stack:
        dsn = stack.enter_context(new_database(stack.enter_context(server_dsn(".pgflow"))))
        migrations.upgrade(dsn)
        connection = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        bench = Bench(dsn, connection, stack.enter_context(FlowClient(dsn)), options.scale)
        for number in range(options.rounds):
            for name in options.workloads or WORKLOADS:
                figures = import_module(f"benchmarks.{name}").run(bench)
                print(json.dumps({"workload": name, "round": number + 1, **figures}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A worker as a process of its own, with a journal: ``python -m tests.chaos.worker``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from pgflow.worker import Worker
from tests.chaos.flows import FLOWS
from tests.chaos.journal import Journal, JournalingConnector


def main() -> int:
    """Work until SIGTERM; the environment's PGFLOW_DSN says where."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--lease", type=float, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--grace", type=float, required=True)
    options = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(threadName)s: %(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

    journal = Journal(options.journal)
    dsn = os.environ["PGFLOW_DSN"]
    connector = JournalingConnector(
        make_conninfo(dsn, application_name=options.name),
        make_conninfo(dsn, application_name=f"{options.name} listener"),
        journal,
    )
    worker = Worker(FLOWS, connector=connector, lease=options.lease, concurrency=options.concurrency)
    journal.note("worker", id=str(worker.worker_id))
    journal.feel_the_pulse()
    while True:
        try:
            outcome = worker.run(grace=options.grace)
        except psycopg.OperationalError:
            # A worker's first connection fails in its caller: what supervises it would start it anew.
            threading.Event().wait(0.1)
        else:
            break
    connector.close()
    return outcome.exit_status


if __name__ == "__main__":
    sys.exit(main())

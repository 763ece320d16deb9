"""``python -m benchmarks.peers.worker SYSTEM SETTING WORKER``: a worker process, on the database of ``BENCH_DSN``."""

from __future__ import annotations

import os
import sys

from benchmarks.peers.system import load

if __name__ == "__main__":
    name, setting, worker = sys.argv[1:]
    load(name)(os.environ["BENCH_DSN"], setting).work(worker)

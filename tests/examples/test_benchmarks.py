"""The benchmarks run and say what they are asked, on a small scale; what they measured then is nobody's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.report import read, table

ROOT = Path(__file__).resolve().parents[2]


def test_each_workload_prints_a_line_that_the_report_understands(dsn: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--scale", "0.001", "chain", "fanout", "latency", "start", "profile"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PGFLOW_DSN": dsn}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["workload"] for line in lines] == ["chain", "fanout", "latency", "start", "profile"]
    assert all(line["per_second"] > 0 and line["wal_bytes"] > 0 for line in lines[:2])

    results = tmp_path / "results.jsonl"
    results.write_text(done.stdout * 3)
    figures = read([results])
    assert len(figures["chain"]["per_second"]) == 3
    assert next(table(figures["chain"])).startswith("| | steps | per second |")

"""Kill, suspend and cut off workers and restart the server, and check that no run notices."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from pathlib import Path
from random import SystemRandom
from tempfile import mkdtemp

from tests.chaos.experiment import Settings, conduct
from tests.chaos.report import lines
from tests.chaos.sabotage import SABOTAGES


def main() -> int:
    """Conduct an experiment and print what it did and found; 1 if something is wrong."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=defaults.seconds, help="of mayhem (%(default)g)")
    parser.add_argument("--workers", type=int, default=defaults.workers, help="processes, 3 or more (%(default)s)")
    parser.add_argument("--runs", type=int, default=defaults.runs, help="to be started (%(default)s)")
    parser.add_argument("--lease", type=float, default=defaults.lease, help="in seconds (%(default)g)")
    parser.add_argument("--pause", type=float, default=defaults.pause, help="seconds between two blows (%(default)g)")
    parser.add_argument("--seed", type=int, help="of all that is random (a new one)")
    parser.add_argument("--without", choices=sorted(SABOTAGES), help="take a part of the engine out: has to go wrong")
    options = parser.parse_args()
    if options.workers < 3:
        parser.error("two workers are always spared, so it takes 3 or more")
    if options.seed is None:
        options.seed = SystemRandom().randrange(10**6)
    settings = Settings(**vars(options))
    print(
        f"seed {settings.seed}: {settings.workers} workers, {settings.runs} runs, {settings.seconds:g} s of mayhem, "
        f"a lease of {settings.lease:g} s" + (f", without {settings.without}" if settings.without else ""),
        flush=True,
    )
    logs = Path(mkdtemp(prefix="pgflow-chaos-logs-"))
    logging.basicConfig(filename=logs / "callers.log", level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    try:
        findings = conduct(settings, logs)
    except BaseException:
        print(f"logs: {logs}", flush=True)
        raise
    print("\n".join(lines(findings)))
    if findings.violations:
        print(f"logs: {logs}")
        return 1
    if not os.environ.get("KEEP"):
        shutil.rmtree(logs)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The settings of the examples, and what a test wants otherwise, by environment."""

import os

from web.gunicorn_conf import *  # noqa: F403 (gunicorn takes every name of this module)

preload_app = os.environ["PRELOAD"] == "1"
workers = int(os.environ["WORKERS"])

if os.environ["WORKER_CLASS"] == "sync":
    worker_class = "sync"
    threads = 1
    # A stream takes a whole process, and is then no sign that it hangs.
    timeout = 0

"""The two examples as their users run them: one command, a browser, and Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.conftest import FRAMEWORKS
from tests.browser.live_page import LivePage, photograph, start_run
from tests.browser.web_server import Framework
from tests.plugins.waiting import until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "web"
SECONDS = 60


@contextmanager
def example(framework: Framework, dsn: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run an example in an empty folder; it is stopped in the end if the block has not done so."""
    command = [sys.executable, str(EXAMPLES / f"{framework}_app" / "run.py"), "--port", "0"]
    environment = {**os.environ, "PGFLOW_DSN": dsn}
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_site_is_analyzed_with_its_hiccups(
    framework: Framework, chromium: Chrome, blank_dsn: str, tmp_path: Path
) -> None:
    with example(framework, blank_dsn, tmp_path) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.match(r"http://127\.0\.0\.1:\d+/", said)
        assert address is not None, said + process.communicate(timeout=SECONDS)[0]

        chromium.get(address[0])
        photograph(chromium, tmp_path, "form")
        chromium.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        page = LivePage(chromium)
        page.until(lambda shown: shown["steps"]["analyze-site"]["done"] and shown["retries"], "pages, and a retry")
        photograph(chromium, tmp_path, "live")
        shown = page.until_ended("Completed")
        assert shown["steps"]["analyze-site"]["detail"] == "29 of 29 tasks"
        assert "Attempt 3 succeeded" in shown["retries"]
        assert "Письмо на радио" in shown["result"]
        assert "answered 404 Not Found" in shown["result"]
        photograph(chromium, tmp_path, "completed")

        page = start_run(chromium, address[0], "ftp://kelden.example/")
        shown = page.until_ended("Failed")
        assert "'ftp://kelden.example/' is no http:// or https:// address" in shown["result"]
        assert page.complaints() == []

        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (0, "")
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        others = """
            select from pg_stat_activity where datname = current_database()
            and backend_type = 'client backend' and pid <> pg_backend_pid()
        """
        until(lambda: connection.execute(others).rowcount == 0, "a database that nobody is connected to")


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, str(EXAMPLES / "flask_app" / "run.py"), "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"port {port} of loopback cannot be had")
    assert done.stderr.count("\n") == 1

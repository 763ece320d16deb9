"""The two examples as their users run them: one command, a browser, and Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.conftest import FRAMEWORKS
from tests.browser.live_page import LivePage, photograph
from tests.browser.web_server import Framework

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "web"
SECONDS = 60

Example = Callable[[Framework, str], subprocess.Popen[str]]


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    """Starts an example in an empty folder; it is stopped in the end if the test has not done so."""
    started: list[subprocess.Popen[str]] = []

    def start(framework: Framework, dsn: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(EXAMPLES / f"{framework}_app" / "run.py"), "--port", "0"]
        process = subprocess.Popen(
            command,
            env={**os.environ, "PGFLOW_DSN": dsn},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=SECONDS)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_site_is_analyzed_with_its_hiccups(
    framework: Framework, example: Example, chromium: Chrome, blank_dsn: str, tmp_path: Path
) -> None:
    process = example(framework, blank_dsn)
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
    assert page.complaints() == []

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == (0, "")
    assert list(tmp_path.rglob("*.log")) != []


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, str(EXAMPLES / "flask_app" / "run.py"), "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"port {port} of loopback cannot be had")
    assert done.stderr.count("\n") == 1

"""The two applications, served; a browser; and runs that the test works on itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from pytest_postgresql.executors import NoopExecutor
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from pgflow import FlowClient
from tests.browser.analyses import Analyses
from tests.browser.live_page import show
from tests.browser.web_server import Framework, WebServer, web_server
from tests.plugins.databases import Connection, own_database
from tests.plugins.engine import Engine

FRAMEWORKS: tuple[Framework, ...] = ("flask", "django")


@pytest.fixture(scope="module")
def module_dsn(template: NoopExecutor) -> Iterator[str]:
    """A migrated database that the tests of a module share."""
    with own_database(template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_analyses(module_dsn: str) -> Iterator[Analyses]:
    """Runs in the database that the tests of a module share."""
    with analyses_in(module_dsn) as analyses:
        yield analyses


@pytest.fixture
def analyses(module_analyses: Analyses) -> Iterator[Analyses]:
    """The runs of a test, which are done in the end: the next test finds its own only."""
    yield module_analyses
    module_analyses.work()


@contextmanager
def analyses_in(dsn: str) -> Iterator[Analyses]:
    """Runs in a database."""
    connection: Connection
    with psycopg.connect(dsn, autocommit=True) as connection, FlowClient(dsn) as client:
        yield Analyses(client, Engine(connection, path="set-based"))


@pytest.fixture(scope="module", params=FRAMEWORKS)
def web(
    request: pytest.FixtureRequest, module_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebServer]:
    """Each of the applications in turn, for all the tests of a module."""
    with web_server(request.param, module_dsn, tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def chromium(browser: Chrome) -> Iterator[Chrome]:
    """The browser, with nothing of another test's in it."""
    show(browser)
    yield browser
    browser.get("about:blank")
    browser.get_log("browser")  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser for all the tests of a module; each opens pages of its own."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        assert os.environ.get("CI") != "true", "no check may be skipped here: install chromium and chromium-driver"
        pytest.skip("there is no chromium with its driver here")
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    chromium = Chrome(options, ChromeService(driver))
    try:
        yield chromium
    finally:
        chromium.quit()

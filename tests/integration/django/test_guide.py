"""The guide, as printed: its blocks are files of a project, whose tests pass."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import fields_dict
from pytest_postgresql.executors import NoopExecutor

from pgflow.contrib.django.conf import Configuration
from tests.docs.pages import Page
from tests.integration.django.conftest import environment_on
from tests.plugins.databases import _database

GUIDE = Page("guides/django.md")

#: What the guide takes for granted.
SETTINGS = """
from tests.integration.django.shop.settings import *

ROOT_URLCONF = "urls"
INSTALLED_APPS = [app for app in INSTALLED_APPS if app.startswith("django.")] + ["orders"]
del PGFLOW
"""
MODELS = """
from django.db import models


class Order(models.Model):
    parcels = models.IntegerField()
    shipped = models.BooleanField(default=False)
"""
URLS = """
from django.urls import path

from orders import views

urlpatterns = [
    path("orders/", views.place_order),
    path("orders/now/", views.ship_now),
    path("orders/<uuid:run_id>/", views.show_order, name="order"),
    path("orders/<uuid:run_id>/events/", views.follow_order),
]
"""
#: What is said and not shown.
MORE_TESTS = """
from django.test import TransactionTestCase, override_settings

from orders.flows import ship_order
from pgflow.contrib.django import DjangoWorker, get_client
from pgflow.contrib.django.models import Run


class MoreTests(TransactionTestCase):
    def test_a_view_out_of_transactions_waits(self):
        with DjangoWorker():
            self.assertEqual(self.client.get("/orders/now/").json(), {"note": 1})

    def test_a_view_streams(self):
        with DjangoWorker():
            self.client.post("/orders/", {"parcels": 1})
            stream = self.client.get(f"/orders/{Run.objects.first().run_id}/events/")
            text = b"".join(stream.streaming_content).decode()
        names = set(__import__("re").findall("^event: (.*)$", text, flags=8))
        self.assertLessEqual(
            {"run:started", "step:started", "step:completed", "run:completed", "end"}, names
        )
"""


@pytest.fixture
def name(template: NoopExecutor) -> Iterator[str]:
    with _database(template, None) as dsn:
        yield dsn.rpartition("dbname=")[2]


def blocks() -> dict[str, str]:
    """The files of the guide: a block that does not begin with the name of one goes on with the last."""
    found: dict[str, str] = {}
    path = ""
    for block in GUIDE.blocks("python"):
        named = re.match(r"# ([\w/]+\.py)\n", block.text)
        path = named[1] if named else path
        found[path] = found.get(path, "") + block.text + "\n"
    return found


def test_the_project_of_the_guide_passes_its_tests(name: str, tmp_path: Path) -> None:
    given = {"settings.py": SETTINGS, "orders/models.py": MODELS, "urls.py": URLS, "orders/tests_more.py": MORE_TESTS}
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "__init__.py").touch()
    for path, text in [*given.items(), *blocks().items()]:
        with (tmp_path / path).open("a", encoding="utf-8") as file:
            file.write(text)
    environment = environment_on(name, DJANGO_SETTINGS_MODULE="settings")
    environment["PYTHONPATH"] = f"{tmp_path}:{environment['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "test", "orders"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 5 tests" in done.stderr


def test_the_table_of_settings_is_the_one_that_there_is() -> None:
    text = GUIDE.text
    table = text[text.index("What can be set") : text.index("Host, password")]

    named = re.findall(r"^\| `([A-Z_]+)` \|.*\| (.*) \|$", table, flags=re.MULTILINE)
    assert [key.lower() for key, _ in named] == list(fields_dict(Configuration))
    assert dict(named)["POOL_SIZE"] == str(Configuration().pool_size)

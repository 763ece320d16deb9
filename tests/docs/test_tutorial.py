"""The tutorial, followed word for word from an empty folder to a server with two workers."""

from __future__ import annotations

import configparser
import re
import shlex
import socket
from importlib.metadata import metadata
from pathlib import Path

import psycopg
import psycopg.conninfo
import pytest

from pgflow.embedded import EmbeddedServer
from tests.docs.pages import DOCS, Page
from tests.docs.reading import Reader

PAGES = [Page(f"tutorial/{path.name}") for path in sorted((DOCS / "tutorial").glob("[0-9]-*.md"))]


@pytest.fixture
def free_port() -> int:
    """A port on the loopback that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_it_can_be_followed_word_for_word(folder: Path, own_server: EmbeddedServer, free_port: int) -> None:
    where = psycopg.conninfo.conninfo_to_dict(own_server.dsn())
    reader = Reader(
        folder,
        instead={
            "flask --app app run": f"flask --app app run --port {free_port}",
            "127.0.0.1:5000": f"127.0.0.1:{free_port}",
            # A server of the tests' has no network, only its socket.
            "@localhost/": "@/",
        },
        environment={
            "PYTEST_ADDOPTS": "-p no:randomly -p no:cacheprovider",
            "PGHOST": str(where["host"]),
            "PGPORT": str(where["port"]),
            "PGUSER": "postgres",
        },
    )
    *developing, deploying = PAGES
    try:
        for page in developing:
            reader.follow(page)
        reader.stop()
        reader.follow(deploying)
        assert len(reader.services) == 2
    finally:
        reader.stop()

    with psycopg.connect(own_server.dsn("newsletter")) as connection:
        assert connection.execute("select * from pgflow.check_invariants()").fetchall() == []
        assert connection.execute("select status, count(*) from pgflow.runs group by status").fetchall() == [
            ("completed", 2)
        ]


def test_it_installs_extras_that_there_are() -> None:
    lines = [line for page in PAGES for line in page.commands() if line.startswith("pip install 'pgflow")]
    extras = {extra for line in lines for extra in re.findall(r"\[(.*)\]", line)[0].split(",")}

    assert extras == {"cli", "embedded"}
    assert extras <= set(metadata("pgflow-sdk").get_all("Provides-Extra") or [])


def test_its_service_starts_a_worker_as_the_command_can() -> None:
    from pgflow.cli.worker import worker

    (unit,) = PAGES[-1].blocks("ini")
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(unit.text)
    program, command, *arguments = shlex.split(parsed["Service"]["ExecStart"])
    context = worker.make_context("worker", arguments)

    assert (Path(program).name, command) == ("pgflow", "worker")
    assert context.params["grace"] < float(parsed["Service"]["TimeoutStopSec"])

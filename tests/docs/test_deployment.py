"""The guide to deployment: what runs elsewhere is read by whoever can read it here, and its numbers fit each other."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import yaml

from tests.docs import shell
from tests.docs.pages import Page
from tests.plugins.databases import Connection
from tests.plugins.waiting import DEADLINE, until

PAGE = Page("guides/deployment.md")

#: Seconds that a worker may take beyond its grace period, and then some.
BEYOND = 15

SHOP = """
from pgflow import Context, Flow

flow = Flow("ship-order", input=int)

@flow.step
def ship(run: int, ctx: Context) -> int:
    ctx.logger.info("on its way", extra={"by": "bicycle"})
    return run
"""


def unit() -> ConfigParser:
    (block,) = PAGE.blocks("ini")
    found = ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(block.text)
    return found


def manifests() -> list[dict[str, Any]]:
    return [document for block in PAGE.blocks("yaml") for document in yaml.safe_load_all(block.text)]


def grace(command: list[str]) -> float:
    """What a worker's command line gives handlers to finish."""
    parsed: float = shell.parse(shlex.join(command)).params["grace"]
    return parsed


def test_the_unit_waits_long_enough_and_is_understood_by_systemd(tmp_path: Path) -> None:
    service = unit()["Service"]
    assert grace(shlex.split(service["ExecStart"])) + BEYOND <= float(service["TimeoutStopSec"])
    assert service["KillSignal"] == signal.SIGTERM.name

    if analyze := shutil.which("systemd-analyze"):
        (block,) = PAGE.blocks("ini")
        here = block.text.replace("/srv/shop/.venv/bin/pgflow", shutil.which("true") or "").replace("/srv/shop", "/")
        path = tmp_path / "shop-worker@.service"
        path.write_text(here)
        said = shell.run(f"{analyze} verify {path}", tmp_path).stdout
        assert [line for line in said.splitlines() if "shop-worker" in line and "User" not in line] == []


def test_a_release_is_made_of_commands_that_there_are() -> None:
    (environment, release) = (block.text for block in PAGE.blocks("sh"))
    assert re.findall(r"^(\w+)=", environment, flags=re.MULTILINE) == ["PGFLOW_DSN", "PGPASSWORD"]
    assert unit()["Service"]["WorkingDirectory"] in release
    lines = [line for line in release.splitlines() if "/pgflow " in line]
    assert [shell.parse(line).info_name for line in lines] == ["migrate", "check"]
    assert "shop-worker@$n" in release
    assert shell.run("bash -n <<'END'\n" + release + "END\n", Path()).returncode == 0


def test_the_image_is_built_of_instructions_that_there_are() -> None:
    (block,) = PAGE.blocks("dockerfile")
    lines = re.sub(r"\\\n", " ", block.text).splitlines()
    instructions = [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]
    assert {name for name, _ in instructions} <= {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}
    assert instructions[0][0] == "FROM"
    assert [rest.split()[0] for name, rest in instructions if name == "COPY"] == ["requirements.txt", "shop.py"]
    for name, rest in instructions:
        if name == "RUN":
            assert shell.run(f"bash -n <<'END'\n{rest}\nEND\n", Path()).returncode == 0
    last = dict(instructions)
    assert json.loads(last["ENTRYPOINT"])[0] in dict(instructions[1:2])["RUN"]
    assert grace(json.loads(last["CMD"])) == grace(shlex.split(unit()["Service"]["ExecStart"]))


def test_the_services_of_compose_wait_for_each_other() -> None:
    services = manifests()[0]["services"]
    (block,) = PAGE.blocks("dockerfile")
    command = json.loads(block.text.rpartition("CMD ")[2])
    assert shell.parse(shlex.join(services["migrate"]["command"])).info_name == "migrate"
    assert grace(command) + BEYOND <= float(services["worker"]["stop_grace_period"].removesuffix("s"))
    needed = {
        name: condition for service in services.values() for name, condition in service.get("depends_on", {}).items()
    }
    assert needed == {
        "db": {"condition": "service_healthy"}, "migrate": {"condition": "service_completed_successfully"}
    }  # fmt: skip
    assert "healthcheck" in services["db"]
    if isready := shutil.which("pg_isready"):
        said = shell.run(shlex.join([isready, "--help"]), Path()).stdout
        assert all(word in said for word in services["db"]["healthcheck"]["test"] if word.startswith("--"))


def test_the_pods_of_kubernetes_are_given_the_time() -> None:
    _, deployment, job = manifests()
    assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    pod = deployment["spec"]["template"]["spec"]
    (worker,) = pod["containers"]
    assert grace(worker["args"]) + BEYOND <= pod["terminationGracePeriodSeconds"]
    (migrate,) = job["spec"]["template"]["spec"]["containers"]
    assert shell.parse(shlex.join(migrate["args"])).info_name == "migrate"
    assert migrate["image"] == worker["image"]
    for container in (worker, migrate):
        assert [variable["name"] for variable in container["env"]] == ["PGFLOW_DSN", "PGPASSWORD"]


def test_every_command_line_in_the_text_is_understood() -> None:
    lines = re.findall(r"`(pgflow \w+ [^`]+)`", PAGE.text)
    assert lines
    for line in lines:
        shell.parse(line)


def test_a_worker_of_ones_own_logs_as_json_and_ends_in_order(dsn: str, database: Connection, tmp_path: Path) -> None:
    PAGE.write_files(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    log = tmp_path / "log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "work.py"], cwd=tmp_path, env={**os.environ, "PGFLOW_DSN": dsn}, stderr=output
        )
    try:
        until(lambda: "serves ship-order" in log.read_text() or worker.poll() is not None, timeout=3 * DEADLINE)
        database.execute("select pgflow.start_flow('ship-order', '7')")
        until(lambda: database.execute("select from pgflow.runs where status = 'completed'").rowcount == 1)
    finally:
        worker.terminate()
        status = worker.wait(3 * DEADLINE)
    assert status == 0, log.read_text()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (said,) = (line for line in lines if line["logger"] == "pgflow.flow.ship-order.ship")
    assert {"by": "bicycle", "flow_slug": "ship-order", "step_slug": "ship", "attempt": 1}.items() <= said.items()

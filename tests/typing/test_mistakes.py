"""Mistakes that mypy must find in a user's flow, and a flow in which it must find none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

import pytest
from mypy import api

EXAMPLE = Path(__file__).with_name("example.py")

PREAMBLE = """\
from __future__ import annotations
from typing import Any
from pgflow.dsl import Flow

flow = Flow("typed", input=str)

@flow.step
def many(run: str) -> list[int]: ...

@flow.step
def one(run: str) -> int: ...

@flow.step
def table(run: str) -> dict[str, int]: ...

@flow.step(depends_on=[many], fanout=True)
def each(item: int) -> str: ...

"""

# What mypy must say, and of what.
MISTAKES = {
    "an_item_of_another_type": (
        'expected "Callable[[int], None]"',
        """
        @flow.step(depends_on=[many], fanout=True)
        def wrong(item: str) -> None: ...
    """,
    ),
    "an_item_of_another_type_from_a_fanout": (
        'expected "Callable[[str], None]"',
        """
        @flow.step(depends_on=[each], fanout=True)
        def wrong(item: int) -> None: ...
    """,
    ),
    "a_fanout_over_one_value": (
        'No overload variant of "step"',
        """
        @flow.step(depends_on=[one], fanout=True)
        def wrong(item: int) -> None: ...
    """,
    ),
    "a_fanout_over_a_mapping": (
        'No overload variant of "step"',
        """
        @flow.step(depends_on=[table], fanout=True)
        def wrong(item: str) -> None: ...
    """,
    ),
    "a_fanout_over_nothing": (
        'No overload variant of "step"',
        """
        @flow.step(fanout=True)
        def wrong(item: str) -> None: ...
    """,
    ),
    "a_fanout_without_an_item": (
        'expected "Callable[[int], None]"',
        """
        @flow.step(depends_on=[many], fanout=True)
        def wrong() -> None: ...
    """,
    ),
    "a_dependency_that_is_no_step": (
        "List item 0 has incompatible type",
        """
        @flow.step(depends_on=[len])
        def wrong(deps: Any) -> None: ...
    """,
    ),
    "a_step_called_with_another_type": (
        'incompatible type "int"; expected "str"',
        """
        one(5)
    """,
    ),
    "a_result_taken_for_another_type": (
        'expression has type "int", variable has type "str"',
        """
        text: str = one("a")
    """,
    ),
    "a_wrong_input": (
        'Cannot infer value of type parameter "In"',
        """
        from typing import TypeVar
        In = TypeVar("In")
        def start(flow: Flow[In], input: In) -> None: ...
        start(flow, 5)
    """,
    ),
    "an_option_that_is_no_int": (
        'No overload variant of "Flow"',
        """
        Flow("other", timeout="60")
    """,
    ),
    "an_unknown_option": (
        'Unexpected keyword argument "retries"',
        """
        @flow.step(retries=5)
        def wrong() -> None: ...
    """,
    ),
    "a_wrong_event_attribute": (
        'has no attribute "outptu"',
        """
        from pgflow.events import StepCompleted
        def look(event: StepCompleted[int]) -> str:
            return event.outptu
    """,
    ),
    "a_wrong_event_output": (
        'got "int", expected "str"',
        """
        from pgflow.events import StepCompleted
        def look(event: StepCompleted[int]) -> str:
            return event.output
    """,
    ),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """What mypy says of each mistake, and of the example, in one run: most of its time goes into the libraries."""
    folder = tmp_path_factory.mktemp("snippets")
    for name, (_, snippet) in MISTAKES.items():
        (folder / f"{name}.py").write_text(PREAMBLE + dedent(snippet))
    config = folder / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\ndisable_error_code = empty-body\n")
    files = [str(path) for path in (EXAMPLE, *sorted(folder.glob("*.py")))]

    output, errors, _ = api.run(
        ["--config-file", str(config), "--cache-dir", str(folder / "cache"), "--no-pretty", *files]
    )

    assert not errors, errors
    found = defaultdict(list)
    for line in output.splitlines():
        if match := re.match(r"(?:.*/)?(\w+)\.py:(\d+): error: ", line):
            found[match[1]].append(line)
    return found


def test_a_correct_flow_is_accepted(complaints: Mapping[str, list[str]]) -> None:
    assert complaints.get("example", []) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(complaints: Mapping[str, list[str]], mistake: str) -> None:
    lines = complaints.get(mistake, [])
    message, snippet = MISTAKES[mistake]

    assert lines, f"mypy accepted:{indent(dedent(snippet), '    ')}"
    assert any(message in line for line in lines), lines

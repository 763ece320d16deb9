"""Every block on every page is run by some test, or checked here: what readers copy is right."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from attrs import frozen

from tests.docs.pages import DOCS

ROOT = DOCS.parent

#: The tests of pages, which open them as ``Page("…")``.
TESTS = [*(ROOT / "tests" / "docs").glob("*.py"), ROOT / "tests" / "integration" / "django" / "test_guide.py"]

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")],
    key=lambda path: path.parts,
)

#: What is run for real, by a test of the page.
RUN = {"console", "python", "sql"}

#: What is looked at by people only.
SHOWN = {"dockerfile", "html", "js", "mermaid", "text"}


def parse_ini(text: str) -> None:
    configparser.ConfigParser(strict=False, interpolation=None).read_string(text)


def parse_shell(text: str) -> None:
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr)


def compile_python(text: str) -> None:
    compile(text, "page", "exec", dont_inherit=True)


#: What can be told to be wrong without running it.
PARSED: dict[str, Callable[[str], object]] = {
    "ini": parse_ini,
    "json": json.loads,
    "python": compile_python,
    "sh": parse_shell,
    "toml": tomllib.loads,
    "xml": ElementTree.fromstring,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}


@frozen
class Fenced:
    """What stands between fences, as a reader sees it."""

    language: str
    text: str
    where: str


def fenced(page: Path) -> Iterator[Fenced]:
    """The blocks of a page, those in lists and in longer fences too."""
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        opening = re.match(r"( *)(`{3,}|~{3,}) *(\S*)", line)
        if opening is None:
            continue
        indent, fence = len(opening[1]), opening[2]
        inside: list[str] = []
        for _, each in lines:
            if re.fullmatch(rf" *{fence[0]}{{{len(fence)},}} *", each):
                break
            inside.append(each[indent:])
        else:
            raise AssertionError(f"{page.relative_to(ROOT)}:{number}: a block has no end")
        yield Fenced(opening[3], "\n".join(inside), f"{page.relative_to(ROOT)}:{number}")


def opened_pages() -> set[str]:
    """The paths below docs/ that the tests open; an asterisk stands for what they put together."""
    calls = [
        node.args[0]
        for source in TESTS
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Page" and node.args
    ]
    constants = {call.value for call in calls if isinstance(call, ast.Constant) and isinstance(call.value, str)}
    patterns = {
        "".join(part.value if isinstance(part, ast.Constant) else "*" for part in call.values)  # type: ignore[misc]
        for call in calls
        if isinstance(call, ast.JoinedStr)
    }
    return constants | patterns


def is_opened(page: Path) -> bool:
    path = page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else f"../{page.name}"
    return any(fnmatch(path, pattern) for pattern in opened_pages())


every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@every_page
def test_every_block_says_what_language_it_is_in(page: Path) -> None:
    unknown = [block for block in fenced(page) if block.language not in RUN | SHOWN | PARSED.keys()]

    assert [(block.where, block.language) for block in unknown] == []


@every_page
def test_every_block_can_be_parsed(page: Path) -> None:
    for block in fenced(page):
        if block.language in PARSED:
            try:
                PARSED[block.language](block.text)
            except Exception as error:
                pytest.fail(f"{block.where}: {error}")


@every_page
def test_what_readers_run_is_run_by_a_test_of_the_page(page: Path) -> None:
    runnable = [block.where for block in fenced(page) if block.language in RUN]

    assert not runnable or is_opened(page), f"no test opens the page, which has {', '.join(runnable)}"


def test_a_page_is_known_by_the_tests_that_open_it() -> None:
    assert is_opened(DOCS / "guides" / "cli.md")
    assert not is_opened(DOCS / "guides" / "nothing.md")


def test_blocks_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\na\n```\n1. A list:\n\n   ```\n   b\n   ```\n\n````text\n```\nc\n```\n````\n")

    assert [(block.language, block.text) for block in fenced(page)] == [
        ("python", "a"),
        ("", "b"),
        ("text", "```\nc\n```"),
    ]

"""The pages of the documentation, taken apart into what tests run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import define, frozen

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: Stands before a block of Python that is only compiled; says why.
NOT_RUN = "<!-- not run"


@frozen
class Block:
    """What stands between fences."""

    language: str
    text: str

    #: Of its first line, from 0.
    line: int

    run: bool


@frozen
class Command:
    """A line that readers type, and what they then see."""

    line: str
    shown: str

    def matches(self, output: str) -> bool:
        """Whether that was printed; an ellipsis stands for anything within a line."""
        pattern = ".*".join(map(re.escape, self.shown.strip("\n").split("…")))
        return re.fullmatch(pattern, output.strip("\n")) is not None


@define
class Page:
    """A page by its path below docs/, such as ``guides/flask.md``."""

    path: str

    @property
    def text(self) -> str:
        return (DOCS / self.path).read_text(encoding="utf-8")

    def blocks(self, language: str) -> Iterator[Block]:
        """The blocks of a language, those too that are part of a list."""
        text = self.text
        pattern = rf"^( *)({NOT_RUN}.*?-->\n+ *)?```{language}\b.*?\n(.*?)^\1```"
        for found in re.finditer(pattern, text, flags=re.DOTALL | re.MULTILINE):
            indent = len(found[1])
            lines = (line[indent:] for line in found[3].splitlines(keepends=True))
            yield Block(language, "".join(lines), text[: found.start(3)].count("\n"), found[2] is None)

    def program(self) -> str:
        """The blocks of Python as one program, with the lines where they are in the page."""
        lines = [""] * len(self.text.splitlines())
        for block in self.blocks("python"):
            if block.run:
                lines[block.line : block.line + block.text.count("\n")] = block.text.splitlines()
            else:
                compile(block.text, self.path, "exec")
        return "\n".join(lines)

    def files(self) -> dict[str, str]:
        """The blocks of Python that are files, by the name that their first line has as a comment."""
        found = (re.match(r"# ([\w/]+\.py)\n(.*)", block.text, flags=re.DOTALL) for block in self.blocks("python"))
        return {file[1]: file[2] for file in found if file}

    def write_files(self, folder: Path) -> None:
        """Do with `files` what the page's readers do."""
        for name, text in self.files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def transcript(self) -> list[Command]:
        """What readers type into a shell, and what they see."""
        commands: list[Command] = []
        for block in self.blocks("console"):
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                line, _, shown = part.partition("\n")
                commands.append(Command(line, shown))
        return commands

    def commands(self) -> list[str]:
        """The same without what they see."""
        return [command.line for command in self.transcript()]

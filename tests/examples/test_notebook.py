"""The notebook among the examples, run in a kernel from its first cell to its last.

It is kept without outputs: they hold ids and times, so every run would change the file. What readers see is said here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "11_notebook.ipynb"


def read_cells() -> tuple[Any, list[Any]]:
    """The notebook, and its cells with code."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any, kind: str = "text/plain") -> str:
    """What is seen below a cell."""
    return "".join(output.get("text") or output.data.get(kind, "") for output in cell.outputs)


def runs_of(output: Any) -> str:
    """The id of the run that a picture is of."""
    found = re.search("[0-9a-f-]{36}", output.data["text/html"])
    assert found is not None
    return found[0]


@pytest.fixture
def kernel_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what Jupyter writes out of the home folder."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_the_notebook_is_kept_without_outputs() -> None:
    _, cells = read_cells()
    assert [(cell.outputs, cell.execution_count) for cell in cells] == [([], None)] * len(cells)


@pytest.mark.usefixtures("kernel_files")
def test_the_notebook_shows_a_flow_a_run_and_its_tables(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    for _ in range(2):
        notebook, (_, flow, _, run, outputs, tables, end) = read_cells()
        NotebookClient(
            notebook, startup_timeout=120, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
        ).execute()

        assert "<svg" in shown(flow, "text/html")
        # Between them is what the worker logs.
        progress, *_, graph = run.outputs
        assert "3 of 3 tasks" in progress.data["text/html"], "one picture, which was drawn anew until the end"
        assert f"<code>run {runs_of(graph)}</code> ✓ completed" in progress.data["text/html"]
        assert "<title>read-lines: split completed, read completed" in shown(run, "text/html")
        assert shown(outputs) == "([2, 3, 6], {'total': 11, 'longest': 'and the longest line of all'})"
        assert "('read', 1, 'completed', 2, 3)" in shown(tables)
        assert end.outputs == []

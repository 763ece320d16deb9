"""Copy what has changed in functions/ into a revision, and print the lines that the revision needs.

``functions/<name>.sql`` is the present, one function a file, edited in place. A revision runs copies that never change
once it is released. Run as ``make freeze REV=0006_slug``; until the release it may be run again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def frozen(versions: Path, before: str) -> dict[str, Path]:
    """The newest copy of each function among the revisions before this one."""
    copies: dict[str, Path] = {}
    for folder in sorted(path for path in versions.iterdir() if path.is_dir() and path.name < before):
        for path in sorted(folder.glob("*.sql")):
            # A revision's other files, like tables.sql, are no functions.
            if "create or replace function" in path.read_text(encoding="utf-8"):
                copies[path.name] = path
    return copies


def freeze(root: Path, revision: str) -> list[str]:
    """Bring ``versions/<revision>/`` up to date with ``functions/``; returns the lines to paste.

    Copies of the revision that are no longer needed are removed.
    """
    versions, functions = root / "versions", root / "functions"
    target = versions / revision
    target.mkdir(parents=True, exist_ok=True)
    older = frozen(versions, revision)
    present = {path.name: path for path in sorted(functions.glob("*.sql"))}
    changed = [n for n, path in present.items() if n not in older or older[n].read_bytes() != path.read_bytes()]
    for name, path in present.items():
        if name in changed:
            (target / name).write_bytes(path.read_bytes())
        else:
            (target / name).unlink(missing_ok=True)
    gone = [name for name in older if name not in present]

    lines = ["upgrade:"]
    if gone:
        lines.append(f"    drop_functions({', '.join(repr(n.removesuffix('.sql')) for n in gone)})")
    lines += ["    run_sql(", *(f'        HERE / "{name}",' for name in changed), "    )", "downgrade:"]
    added = [name for name in changed if name not in older]
    if added:
        lines.append(f"    drop_functions({', '.join(repr(n.removesuffix('.sql')) for n in added)})")
    restored = [older[name] for name in [*changed, *gone] if name in older]
    if restored:
        lines += [
            "    run_sql(",
            *(f'        HERE.parent / "{p.parent.name}" / "{p.name}",' for p in restored),
            "    )",
        ]
    lines.append("A function whose arguments or result changed is to be dropped before it is created again.")
    return lines


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("say which revision: make freeze REV=0006_slug")
    print("\n".join(freeze(HERE, sys.argv[1])))

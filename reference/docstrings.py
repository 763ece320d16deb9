"""Docstrings as Markdown, for mkdocstrings: they are written as Sphinx reads them.

Double backticks are code. Single ones are code that leads to what they name, as a reader of the module would find it: a
name that is not found stays a reference, and fails the build. What is indented below ``::`` is a program. The fields
``:param`` and ``:raises`` become lists.
"""

from __future__ import annotations

import builtins
import re
import sys
import textwrap
from typing import Any

import griffe

__all__ = ["MarkdownDocstrings", "as_markdown"]

_PROGRAM = re.compile(r"(^|\S)::\n\n((?:(?: +.*)?\n)*? +.*)(?=\n\n\S|\n\S|\Z)", flags=re.MULTILINE)
_FIELD = re.compile(r"^:(?P<kind>param|raises) (?P<name>[\w.]+):(?P<text>.*(?:\n +\S.*)*)\n?", flags=re.MULTILINE)
_CODE = re.compile(r"(?<!`)(?:``(?P<literal>[^`]+)``|`(?P<name>[^`]+)`)(?!`)")
_DOTTED = re.compile(r"\w+(\.\w+)*")

#: What Python and others bring; its documentation is elsewhere.
_NOT_OURS = {*sys.stdlib_module_names, *dir(builtins), "ImproperlyConfigured", "psycopg"}


class MarkdownDocstrings(griffe.Extension):
    """Rewrites the docstrings of a package once all of it is known."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rewrite the docstrings of a package."""
        exported = _exported(pkg)
        for thing in _things(pkg):
            if thing.docstring is not None:
                thing.docstring.value = as_markdown(thing.docstring.value, thing, exported)
            elif _is_plain(thing) and thing.parent is not None:
                thing.parent.del_member(thing.name)


def as_markdown(docstring: str, thing: griffe.Object, exported: dict[str, str]) -> str:
    """Return the docstring of ``thing`` as Markdown; ``exported`` says where a name is that its module lacks."""

    def shown(found: re.Match[str]) -> str:
        name = found["literal"] or found["name"]
        code = f"`` {name} ``" if "`" in name else f"`{name}`"
        if found["literal"] or not _DOTTED.fullmatch(name) or name.split(".")[0] in _NOT_OURS:
            return code
        path = _path_of(name, thing) or exported.get(name, name)
        return code if _is_foreign(path, thing) else f"[{code}][{path}]"

    parts = _PROGRAM.split(_with_lists(docstring))
    for n in range(0, len(parts), 3):
        parts[n] = _CODE.sub(shown, parts[n])
    for n in range(2, len(parts), 3):
        code = textwrap.dedent(parts[n])
        colon = f"{parts[n - 1]}:\n\n" if parts[n - 1] else ""
        parts[n - 1], parts[n] = colon, f"```{_language(code)}\n{code}\n```"
    return "".join(parts)


def _is_plain(thing: griffe.Object) -> bool:
    """Whether something rightly has no docstring: a magic method or a nested class is what its name says."""
    if thing.is_function:
        return thing.is_special and thing.name != "__init__"
    return thing.is_class and thing.parent is not None and thing.parent.is_class


def _with_lists(docstring: str) -> str:
    """Return the docstring with its fields as lists after all else."""
    lists: dict[str, list[str]] = {"param": [], "raises": []}
    for field in _FIELD.finditer(docstring):
        name = f"``{field['name']}``" if field["kind"] == "param" else f"`{field['name']}`"
        lists[field["kind"]].append(f"- {name}: {' '.join(field['text'].split())}")
    titled = zip(("Parameters", "Raises"), lists.values(), strict=True)
    found = [f"**{title}:**\n\n" + "\n".join(items) for title, items in titled if items]
    return "\n\n".join([_FIELD.sub("", docstring).rstrip(), *found])


def _language(code: str) -> str:
    """Return what a literal block is written in: Python, or nothing that has a name."""
    try:
        compile(code, "docstring", "exec")
    except SyntaxError:
        return "text"
    return "python"


def _things(thing: griffe.Object) -> list[griffe.Object]:
    """Return it and all that is defined in it."""
    members = [member for member in thing.members.values() if isinstance(member, griffe.Object)]
    return [thing, *(below for member in members for below in _things(member))]


def _exported(package: griffe.Module) -> dict[str, str]:
    """Return the paths of what modules define and export, and of its members, by their names; none that two share."""
    found: dict[str, set[str]] = {}
    for module in _things(package):
        if isinstance(module, griffe.Module):
            for name in module.exports or []:
                member = module.members.get(str(name))
                if isinstance(member, griffe.Object) and not isinstance(member, griffe.Module):
                    found.setdefault(member.name, set()).add(member.path)
                    for below in member.members.values():
                        found.setdefault(f"{member.name}.{below.name}", set()).add(f"{member.path}.{below.name}")
    return {name: paths.pop() for name, paths in found.items() if len(paths) == 1}


def _path_of(name: str, thing: griffe.Object) -> str | None:
    """Return where that is defined which a name means to a thing: a member of it, of its class, or of its module."""
    first, _, rest = name.partition(".")
    package = thing.package
    if first == package.name:
        return _canonical(package, rest)
    scope: griffe.Object | None = thing
    while scope is not None and first not in scope.members:
        scope = scope.parent if isinstance(scope.parent, griffe.Object) else None
    return None if scope is None else _canonical(scope, name)


def _canonical(scope: griffe.Object, name: str) -> str:
    """Return where a member of ``scope`` is defined, behind what imports say of it."""
    first, _, rest = name.partition(".")
    if first not in scope.members:
        return f"{scope.path}.{name}" if name else scope.path
    member = scope.members[first]
    if isinstance(member, griffe.Object):
        return _canonical(member, rest)
    elsewhere, _, below = member.target_path.partition(".")
    path = f"{below}.{rest}" if rest else below
    return _canonical(scope.package, path) if elsewhere == scope.package.name else member.target_path


def _is_foreign(path: str, thing: griffe.Object) -> bool:
    """Whether something was imported from another package, whose documentation is elsewhere."""
    return "." in path and path.split(".")[0] != thing.package.name

"""What a flow or a step may be called.

The rules are the engine's, so that a definition which Python accepts is one that the database accepts; the reserved
names of steps are ours, because handlers ask for their arguments by them.
"""

from __future__ import annotations

import re

from pgflow.errors import InvalidSlugError

__all__ = ["check_flow_slug", "check_step_slug", "likeness", "parameter_name"]

_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LONGEST = 128
_LONGEST_FLOW = 47
_RESERVED_STEPS = ("run", "deps", "item", "ctx")


def check_flow_slug(slug: object) -> str:
    """Return ``slug`` if a flow may have it; it also names the flow's queue, hence the shorter limit.

    :raises InvalidSlugError: saying which rule is broken.
    """
    text = _check(slug, "flow", _LONGEST_FLOW, ("run",))
    if "--" in text:
        raise InvalidSlugError(
            f"flow slug {text!r}: two dashes in a row are not allowed, the slug names a table; use one"
        )
    return text


def check_step_slug(slug: object) -> str:
    """Return ``slug`` if a step may have it.

    :raises InvalidSlugError: saying which rule is broken.
    """
    return _check(slug, "step", _LONGEST, _RESERVED_STEPS)


def parameter_name(slug: str) -> str:
    """The parameter by which a handler asks for the output of the step ``slug``."""
    return slug.replace("-", "_")


def likeness(slug: str) -> str:
    """Steps of one flow must differ in this: else one parameter means both, or only case tells them apart."""
    return parameter_name(slug).lower()


def _check(slug: object, kind: str, longest: int, reserved: tuple[str, ...]) -> str:
    if not isinstance(slug, str):
        raise InvalidSlugError(f"a {kind} slug is a string, got {type(slug).__name__}: {slug!r}")
    if not slug:
        raise InvalidSlugError(f"a {kind} slug cannot be empty")
    if slug in reserved:
        raise InvalidSlugError(f"{kind} slug {slug!r} is reserved: choose another name")
    if len(slug) > longest:
        raise InvalidSlugError(
            f"{kind} slug {slug[:60]!r}… has {len(slug)} characters, at most {longest} are allowed: shorten it"
        )
    if not _PATTERN.fullmatch(slug):
        raise InvalidSlugError(
            f"{kind} slug {slug!r}: use letters (A-Z, a-z), digits, '_' and '-', and begin with a letter or '_'"
        )
    return slug

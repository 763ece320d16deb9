"""A flow as a user would type it; mypy --strict accepts it, and knows what ``assert_type`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

from attrs import frozen

from pgflow.dsl import FanoutStep, Flow, Step


@frozen
class Request:
    urls: list[str]


@frozen
class Site:
    url: str


@frozen
class Page:
    url: str
    words: int


flow = Flow("analyze-websites", input=Request)
assert_type(flow, Flow[Request])

untyped = Flow("untyped")
assert_type(untyped, Flow[Any])

mixed = Flow("mixed", input=int | None)
assert_type(mixed, Flow[Any])


@flow.step("prepare-urls", max_attempts=5)
def prepare_urls(run: Request) -> list[Site]:
    return [Site(url) for url in run.urls]


@flow.step("analyze-site", depends_on=[prepare_urls], fanout=True, timeout=60)
def analyze_site(item: Site, ctx: object) -> Page:
    return Page(item.url, len(item.url))


@flow.step("score", depends_on=[analyze_site], fanout=True)
def score(item: Page) -> float:
    return item.words / 2


@flow.step("by-slug", depends_on=["prepare-urls"], fanout=True)
def by_slug(item: Any) -> str:
    return str(item)


@flow.step("summarize", depends_on=[analyze_site, score, "by-slug"])
def summarize(deps: Mapping[str, Any], analyze_site: list[Page]) -> int:
    return len(deps) + len(analyze_site)


@flow.step
def bare(run: Request) -> None: ...


assert_type(prepare_urls(Request([])), list[Site])
assert_type(analyze_site(Site(""), None), Page)
assert_type(score(Page("", 1)), float)


def takes_steps(step: Step[..., int], fanout: FanoutStep[..., Page]) -> None: ...


takes_steps(summarize, analyze_site)

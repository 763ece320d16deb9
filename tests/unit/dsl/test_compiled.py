from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Literal, NamedTuple, TypedDict

import pytest
from attrs import frozen

from pgflow.dsl import Flow, MisfitError, StepHandle, compile_flow
from pgflow.errors import DefinitionError, NotJsonError


@frozen
class Request:
    urls: list[str]


@frozen
class Page:
    url: str
    words: int


class Pair(NamedTuple):
    one: int
    two: int


class Options(TypedDict):
    depth: int


websites = Flow("websites", input=Request, base_delay=7)


@websites.step("prepare-urls", max_attempts=1, start_delay=4)
def prepare_urls(run: Request) -> list[str]:
    return run.urls


@websites.step("analyze-site", depends_on=[prepare_urls], fanout=True)
def analyze_site(item: str) -> Page:
    return Page(item, len(item))


@websites.step(depends_on=[analyze_site])
def summarize(analyze_site: list[Page]) -> int:
    return sum(page.words for page in analyze_site)


def test_a_run_goes_through_plain_json_from_end_to_end() -> None:
    flow = websites.compiled()
    run = flow.dump_input(Request(["a", "bcd"]))

    urls: Any = flow.steps["prepare-urls"].call({"run": run, "deps": {}}, None)
    pages = [flow.steps["analyze-site"].call({"item": url}, None) for url in urls]
    total = flow.steps["summarize"].call({"run": run, "deps": {"analyze-site": pages}}, None)

    assert run == {"urls": ["a", "bcd"]}
    assert pages == [{"url": "a", "words": 1}, {"url": "bcd", "words": 3}]
    assert total == 4


def test_what_the_database_holds_comes_back_structured() -> None:
    flow = websites.compiled()
    step = flow.steps["analyze-site"]

    assert flow.load_input({"urls": ["a"]}) == Request(["a"])
    assert step.load_step_output([{"url": "a", "words": 1}]) == [Page("a", 1)]
    assert flow.load_run_output({"summarize": 4, "analyze-site": [], "gone": [1]}) == {
        "summarize": 4,
        "analyze-site": [],
        "gone": [1],
    }


def test_steps_have_their_own_numbers_or_the_flows() -> None:
    first, second, _ = websites.compiled().steps.values()

    assert (first.max_attempts, first.timeout) == (1, 300)
    assert second.max_attempts == 3
    assert (second.is_fanout, second.deps) == (True, ("prepare-urls",))


def test_arguments_can_be_bound_without_calling() -> None:
    args, kwargs = websites.compiled().steps["prepare-urls"].bind({"run": {"urls": []}, "deps": {}}, None)

    assert (args, kwargs) == ((), {"run": Request([])})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"urls": []}, r"input of flow 'websites': \$: expected Request, got dict"),
        (Request(["a", "\0"]), r"\$\.urls\[1\]: a NUL character"),
        (None, r"expected Request, got None"),
    ],
)
def test_an_input_of_another_type_is_refused(value: Any, message: str) -> None:
    with pytest.raises(NotJsonError, match=message):
        websites.compiled().dump_input(value)


def test_without_an_input_type_plain_json_is_taken() -> None:
    flow = Flow("plain").compiled()

    assert flow.dump_input({"a": (1,)}) == {"a": [1]}
    assert flow.load_input({"a": [1]}) == {"a": [1]}
    with pytest.raises(NotJsonError, match=r"input of flow 'plain': \$\.a: a set"):
        flow.dump_input({"a": {1}})


@pytest.mark.parametrize(
    ("slug", "task_input", "message"),
    [
        (
            "prepare-urls",
            {"run": {"urls": [1]}, "deps": {}},
            r"parameter 'run' of step 'prepare-urls' of flow 'websites': \$\.urls\[0\]: expected str, got int",
        ),
        ("analyze-site", {"item": None}, r"parameter 'item' .*: \$: expected str, got None"),
        ("analyze-site", {}, r"parameter 'item' .*missing from the task's input"),
        ("summarize", {"run": None, "deps": {}}, r"parameter 'analyze_site' .*missing from the task's input"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_parameter_and_path(slug: str, task_input: Any, message: str) -> None:
    with pytest.raises(MisfitError, match=message):
        websites.compiled().steps[slug].call(task_input, None)


def test_an_output_at_fault_in_a_list_of_outputs_is_named() -> None:
    with pytest.raises(MisfitError, match=r"output of step 'analyze-site' of flow 'websites': \$\[1\]\.words: missing"):
        websites.compiled().steps["analyze-site"].load_step_output([{"url": "", "words": 1}, {"url": ""}])


def test_a_result_that_cannot_be_stored_is_refused() -> None:
    flow: Flow[Any] = Flow("results")
    flow.step("plain")(lambda: {"tags": {1}})

    @flow.step
    def typed() -> int:
        return "1"  # type: ignore[return-value]

    steps = flow.compiled().steps
    with pytest.raises(NotJsonError, match=r"output of step 'plain' of flow 'results': \$\.tags: a set"):
        steps["plain"].call({"run": None, "deps": {}}, None)
    with pytest.raises(NotJsonError, match=r"output of step 'typed' .*: expected int, got str '1'"):
        steps["typed"].call({"run": None, "deps": {}}, None)


def test_what_a_handler_raises_passes_through() -> None:
    flow: Flow[Any] = Flow("failing")

    @flow.step
    def fail() -> None:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        flow.compiled().steps["fail"].call({"run": None, "deps": {}}, None)


@pytest.mark.parametrize("value", [False, 0, "", [], {}, None, "123"])
def test_small_values_survive_as_input_item_and_output(value: Any) -> None:
    flow: Flow[Any] = Flow("echo")
    flow.step("many")(lambda run: run)
    flow.step("each", depends_on=["many"], fanout=True)(lambda item: item)
    many, each = flow.compiled().steps.values()

    for result in (many.call({"run": value, "deps": {}}, None), each.call({"item": value}, None)):
        assert result == value
        assert type(result) is type(value)


ARRAYS: list[Any] = [
    list,
    list[int],
    tuple[int, ...],
    Sequence[int],
    set[int],
    frozenset[int],
    Iterable[int],
    Pair,
    Any,
]


@pytest.mark.parametrize("returns", [*ARRAYS, list[int] | None, object])
def test_a_fanout_goes_over_what_can_be_an_array(returns: Any) -> None:
    assert list(fanout_over(returns).compiled().steps) == ["many", "each"]


@pytest.mark.parametrize("returns", [int, str, None, dict, Mapping[str, int], Page, Options, Literal["a"], int | str])
def test_a_fanout_over_what_is_never_an_array_is_refused(returns: Any) -> None:
    with pytest.raises(DefinitionError, match=r"step 'each' .* fans out over 'many', which returns .* never an array"):
        fanout_over(returns).compiled()


def fanout_over(returns: Any) -> Flow[Any]:
    flow: Flow[Any] = Flow("fanning")

    def many() -> Any: ...

    many.__annotations__["return"] = returns
    flow.step(many)
    flow.step("each", depends_on=["many"], fanout=True)(lambda item: None)
    return flow


def test_a_fanout_may_go_over_a_fanout() -> None:
    flow = fanout_over(list[int])
    flow.step("again", depends_on=["each"], fanout=True)(lambda item: None)

    assert flow.compiled().steps["again"].is_fanout


def run_elsewhere(step: StepHandle[..., Any], task_input: dict[str, Any]) -> Any:
    return step.flow.compiled().steps[step.slug].call(task_input, None)


def test_a_step_runs_in_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(run_elsewhere, analyze_site, {"item": "abc"}).result(30)

    assert result == {"url": "abc", "words": 3}


def test_a_flow_compiles_to_sql() -> None:
    assert compile_flow(websites) == [
        "select pgflow.create_flow(flow_slug => 'websites', max_attempts => 3, base_delay => 7, timeout => 300);",
        "select pgflow.add_step(flow_slug => 'websites', step_slug => 'prepare-urls', deps_slugs => array[]::text[], "
        "max_attempts => 1, start_delay => 4, step_type => 'single', handler_name => 'prepare_urls');",
        "select pgflow.add_step(flow_slug => 'websites', step_slug => 'analyze-site', "
        "deps_slugs => array['prepare-urls']::text[], step_type => 'fanout', handler_name => 'analyze_site');",
        "select pgflow.add_step(flow_slug => 'websites', step_slug => 'summarize', "
        "deps_slugs => array['analyze-site']::text[], step_type => 'single', handler_name => 'summarize');",
    ]


def test_names_are_quoted_in_sql() -> None:
    def handler() -> None: ...

    handler.__qualname__ = "it's\\it"
    flow: Flow[Any] = Flow("quoting")
    flow.step("quoted")(handler)

    assert "handler_name => E'it''s\\\\it'" in compile_flow(flow)[1]


def test_a_flow_that_cannot_work_does_not_compile_to_sql() -> None:
    with pytest.raises(DefinitionError):
        compile_flow(fanout_over(int))
